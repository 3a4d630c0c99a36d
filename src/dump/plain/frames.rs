//! pg_dump and pg_dumpall begin what they write with a comment and end it with another one. What has
//! the first and not the last is cut, wherever it stands in the file and whatever follows it.

use super::super::flaw::Flaw;
use super::super::toc::Comment;

/// The dumps of a file, one after the other; those of a cluster's databases stand in the cluster's.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The line of the header of a cluster whose trailer is still to come.
    cluster: Option<u64>,
    /// The same of a database.
    database: Option<u64>,
    /// The line of the first header.
    first: Option<u64>,
    /// A trailer stood where no header was before it.
    headless: bool,
    /// Statements and COPY blocks before the last header or trailer.
    items: u64,
}

impl Frames {
    /// Takes a comment on this line, with so many statements and COPY blocks before it.
    ///
    /// # Errors
    ///
    /// A dump has no end, or an end no beginning.
    pub(super) fn take(&mut self, comment: &Comment, line: u64, items: u64) -> Result<(), Flaw> {
        match comment {
            Comment::Header => self.open(false, line)?,
            Comment::ClusterHeader => self.open(true, line)?,
            Comment::Trailer => self.close(false, line, items)?,
            Comment::ClusterTrailer => self.close(true, line, items)?,
            _ => return Ok(()),
        }
        self.items = items;
        Ok(())
    }

    fn open(&mut self, cluster: bool, line: u64) -> Result<(), Flaw> {
        let of_database = self.database.map(|header| (header, false));
        let open = of_database.or(self.cluster.filter(|_| cluster).map(|header| (header, true)));
        if let Some((header, cluster)) = open {
            return Err(Flaw::Unfinished { header, cluster, line });
        }
        *(if cluster { &mut self.cluster } else { &mut self.database }) = Some(line);
        self.first.get_or_insert(line);
        Ok(())
    }

    fn close(&mut self, cluster: bool, line: u64, items: u64) -> Result<(), Flaw> {
        if let (true, Some(header)) = (cluster, self.database) {
            return Err(Flaw::Unfinished { header, cluster: false, line });
        }
        let open = if cluster { &mut self.cluster } else { &mut self.database };
        if open.take().is_some() {
            return Ok(());
        }
        self.headless |= self.first.is_none();
        match self.first {
            Some(_) if cluster || items > self.items => Err(Flaw::NoHeader { line }),
            _ => Ok(()),
        }
    }

    /// Whether there was a dump, and each has its end.
    pub(super) fn complete(&self) -> bool {
        self.first.is_some() && self.cluster.is_none() && self.database.is_none()
    }

    /// Whether a dump ends that has no beginning.
    pub(super) fn headless(&self) -> bool {
        self.headless
    }

    /// The end that is missing where the file ends on this line.
    pub(super) fn missing(&self, line: u64) -> Option<Flaw> {
        let of_database = self.database.map(|header| (header, false));
        let (header, cluster) = of_database.or(self.cluster.map(|header| (header, true)))?;
        let header = Some(header).filter(|_| self.first != Some(header));
        Some(Flaw::NoTrailer { line, header, cluster })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Comment::{ClusterHeader, ClusterTrailer, Header, Trailer};

    /// What is said of comments, each on a line of its own, with statements between them.
    fn framed(comments: &[Comment]) -> Option<Flaw> {
        let mut frames = Frames::default();
        for (line, comment) in (1..).zip(comments) {
            if let Err(flaw) = frames.take(comment, line, line) {
                return Some(flaw);
            }
        }

        frames.missing(comments.len() as u64)
    }

    #[test]
    fn each_dump_of_a_file_needs_its_own_end() {
        for whole in [
            &[Header, Trailer][..],
            &[Header, Trailer, Header, Trailer],
            &[ClusterHeader, ClusterTrailer, Header, Trailer],
            &[ClusterHeader, Header, Trailer, Header, Trailer, ClusterTrailer],
            &[Header, Trailer, ClusterHeader, Header, Trailer, ClusterTrailer],
        ] {
            assert_eq!(framed(whole), None, "{whole:?}");
        }
        let unfinished = |header, cluster, line| Some(Flaw::Unfinished { header, cluster, line });
        assert_eq!(framed(&[Header, Header, Trailer]), unfinished(1, false, 2));
        assert_eq!(framed(&[Header, ClusterHeader]), unfinished(1, false, 2));
        assert_eq!(framed(&[ClusterHeader, ClusterHeader]), unfinished(1, true, 2));
        assert_eq!(framed(&[ClusterHeader, Header, ClusterTrailer]), unfinished(2, false, 3));
        let missing = |line, header, cluster| Some(Flaw::NoTrailer { line, header, cluster });
        assert_eq!(framed(&[Header]), missing(1, None, false));
        assert_eq!(framed(&[Header, Trailer, Header]), missing(3, Some(3), false));
        assert_eq!(framed(&[ClusterHeader, Header, Trailer]), missing(3, None, true));
        assert_eq!(framed(&[ClusterHeader, Header]), missing(2, Some(2), false));
    }

    #[test]
    fn an_end_without_its_beginning_is_told_where_something_was_lost_with_it() {
        assert_eq!(framed(&[Header, Trailer, Trailer]), Some(Flaw::NoHeader { line: 3 }));
        assert_eq!(framed(&[Header, Trailer, ClusterTrailer]), Some(Flaw::NoHeader { line: 3 }));
        let mut twice = Frames::default();
        for comment in [Header, Trailer, Trailer] {
            assert_eq!(twice.take(&comment, 1, 7), Ok(()));
        }
        assert!(twice.complete() && !twice.headless());
        let mut alone = Frames::default();
        assert_eq!(alone.take(&Trailer, 1, 7), Ok(()));
        assert!(alone.headless() && !alone.complete());
    }
}

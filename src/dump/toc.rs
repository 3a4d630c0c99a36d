//! The comments that pg_dump writes between statements: the object's line, header, versions, trailer.

use super::item::{Facts, TocEntry, decode};

/// What a `--` line between statements says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Comment {
    /// A dump of one database begins.
    Header,
    /// A dump of a cluster begins.
    ClusterHeader,
    /// The dump of a database is complete.
    Trailer,
    /// The dump of a cluster is complete.
    ClusterTrailer,
    /// The server it was taken from.
    ServerVersion(String),
    /// The pg_dump that wrote it.
    DumpVersion(String),
    /// The object that the next statements are about.
    Entry(TocEntry),
    /// Words of other kinds, such as pg_dump's own "*not* creating schema", or a statement that
    /// somebody took out.
    Remark,
    /// Nothing that matters.
    Other,
}

/// Reads what follows the two dashes.
pub(super) fn comment(text: &[u8]) -> Comment {
    let Some(text) = text.strip_prefix(b" ") else {
        return other(text);
    };
    match text.trim_ascii_end() {
        b"PostgreSQL database dump" => return Comment::Header,
        b"PostgreSQL database cluster dump" => return Comment::ClusterHeader,
        b"PostgreSQL database dump complete" => return Comment::Trailer,
        b"PostgreSQL database cluster dump complete" => return Comment::ClusterTrailer,
        _ => {}
    }
    let after = |prefix: &[u8]| {
        let rest = text.strip_prefix(prefix)?;
        Some(decode(rest.trim_ascii()).into_owned())
    };
    if let Some(version) = after(b"Dumped from database version ") {
        return Comment::ServerVersion(version);
    }
    if let Some(version) = after(b"Dumped by pg_dump version ") {
        return Comment::DumpVersion(version);
    }
    [b"Name: ".as_slice(), b"Data for Name: ", b"Statistics for Name: "]
        .into_iter()
        .find_map(after)
        .and_then(|rest| entry(&rest))
        .map_or_else(|| other(text), Comment::Entry)
}

/// What `--verbose` adds to an entry, and the rest.
fn other(text: &[u8]) -> Comment {
    let added: [&[u8]; 4] = [b"TOC entry ", b"Dependencies: ", b"Started on ", b"Completed on "];
    if text.trim_ascii().is_empty() || added.iter().any(|added| text.starts_with(added)) {
        Comment::Other
    } else {
        Comment::Remark
    }
}

/// Reads `users; Type: TABLE; Schema: public; Owner: -[; Tablespace: x]`.
///
/// From the right, since a name is likelier than a kind or a schema to contain `; Type: `.
fn entry(text: &str) -> Option<TocEntry> {
    let (text, owner) = text.rsplit_once("; Owner:")?;
    let (text, schema) = text.rsplit_once("; Schema: ")?;
    let (name, kind) = text.rsplit_once("; Type: ")?;
    let owner = owner.split("; Tablespace: ").next().unwrap_or_default().trim();
    let given = |text: &str| (!text.is_empty() && text != "-").then(|| text.to_owned());
    Some(TocEntry {
        name: name.to_owned(),
        kind: kind.to_owned(),
        schema: given(schema),
        owner: given(owner),
    })
}

impl Facts {
    /// Takes in a comment. The first database's versions count.
    pub(super) fn note(&mut self, comment: &Comment) {
        match comment {
            Comment::Header => self.header = true,
            Comment::ClusterHeader => self.cluster = true,
            Comment::ServerVersion(version) => {
                self.server_version.get_or_insert_with(|| version.clone());
            }
            Comment::DumpVersion(version) => {
                self.pg_dump_version.get_or_insert_with(|| version.clone());
            }
            Comment::Entry(entry) => self.announces_rows |= entry.kind == "TABLE DATA",
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_of(text: &str) -> Option<TocEntry> {
        match comment(text.as_bytes()) {
            Comment::Entry(entry) => Some(entry),
            _ => None,
        }
    }

    #[test]
    fn an_objects_line_is_understood() {
        let entry = entry_of(" Data for Name: users; Type: TABLE DATA; Schema: public; Owner: -");
        let entry = entry.expect("an entry");
        assert_eq!((&*entry.name, &*entry.kind), ("users", "TABLE DATA"));
        assert_eq!((entry.schema.as_deref(), entry.owner), (Some("public"), None));
    }

    #[test]
    fn tablespace_missing_schema_and_odd_names_are_understood() {
        let text = " Name: f(a integer); Type: FUNCTION; Schema: -; Owner: me; Tablespace: fast";
        let entry = entry_of(text).expect("an entry");
        assert_eq!((entry.schema, entry.owner.as_deref()), (None, Some("me")));
        let entry =
            entry_of(" Name: a; Type: X; Type: TABLE; Schema: s; Owner: ").expect("an entry");
        assert_eq!((&*entry.name, &*entry.kind), ("a; Type: X", "TABLE"));
        assert_eq!(entry_of(" Name: nothing else"), None);
    }
}

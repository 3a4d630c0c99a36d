//! Where the rows of a table lie in a backup, so that one table can be read by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A stretch of a backup that holds rows of one table, as COPY's text and nothing else.
///
/// In a plain dump, `rows` says where: unpack from `offset` on, pass over the bytes from `rows.begins` to
/// `rows.offset`, and take `rows.bytes`. In an archive of the custom format, a block of data begins at
/// `offset`, which says its own length. In the formats directory and tar, `offset` and `bytes` are those of
/// a file. What archives hold ends with a line `\.`; pg_dump may have compressed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// Index of the file in the manifest's `files`.
    pub file: usize,
    /// Byte of the file where reading begins; in a packed plain dump, where the gzip member or zstd frame
    /// begins that holds the first row.
    pub offset: u64,
    /// Bytes of the file from there on, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Where the rows are in the unpacked SQL of a plain dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowsOfDump>,
}

/// Where rows are in the SQL of a plain dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowsOfDump {
    /// Byte of the SQL that [`Span::offset`] is unpacked to.
    pub begins: u64,
    /// First byte of the first row.
    pub offset: u64,
    /// Bytes of the rows, without the line `\.`.
    pub bytes: u64,
}

impl Span {
    /// The rows at these bytes of a plain dump, read from its beginning: true of every dump, packed or not.
    pub fn of_dump(offset: u64, bytes: u64) -> Self {
        Self {
            file: 0,
            offset: 0,
            bytes: None,
            rows: Some(RowsOfDump { begins: 0, offset, bytes }),
        }
    }

    /// The same rows, read from a later place: the byte `offset` of the file is unpacked to byte `begins`
    /// of the SQL.
    pub fn begin_at(&mut self, offset: u64, begins: u64) {
        if let Some(rows) = &mut self.rows {
            (self.offset, rows.begins) = (offset, begins);
        }
    }
}

/// The rows of a table in an archive, by the names in its table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsAt {
    /// Schema of the table.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Where.
    pub span: Span,
}

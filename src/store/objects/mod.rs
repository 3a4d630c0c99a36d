//! Object storage: S3 and all that speaks its protocol, Google Cloud Storage, Azure. Alone knows the crate that speaks
//! to it. What it gives to others are blocking calls: readers of backups are threads, as they are of files.

mod beginning;
mod bucket;
mod clock;
mod error;
mod folder;
mod ranges;
mod read_ahead;
mod reading;
mod runtime;
mod under_way;
mod upload;
mod uploads;

pub use bucket::{Bucket, Object, Put};
pub use error::{Kind, ObjectError};
pub use folder::ObjectFolder;
pub use reading::ObjectFile;
pub use under_way::{UnderWay, settle};
pub use upload::Upload;
pub use uploads::Unended;

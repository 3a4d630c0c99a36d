//! What is handed to those who do not build it: `make install`, packages, images.

mod deb;
mod fresh;
mod image;
mod installed;
mod kubernetes;
mod listed;
mod pod;
mod rpm;
mod sidecar;

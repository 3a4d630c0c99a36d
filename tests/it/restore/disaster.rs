//! The disaster of `make demo-disaster`, from its beginning to its end.

use std::process::Command;

use crate::support::{BINARY, clean_environment, repository, text};

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_disaster_is_played_from_its_beginning_to_its_end() {
        let mut demo = Command::new(repository("infra/demo-disaster.sh"));
        demo.env_clear().envs(clean_environment()).env("CCC_BACKUP_BIN", BINARY);
        let output = demo.output().unwrap();
        let (said, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{said}{errors}");
        assert!(said.contains("the client writes into the restored database"), "{said}{errors}");
    }
}

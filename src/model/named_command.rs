//! A command of an operator's that stores or brings a file, whose name stands in it as `{name}`.

use super::secret::Secret;

/// What stands for the name.
const NAME: &str = "{name}";

/// See the module. Its words may hold a secret, and are not shown.
#[derive(Debug, Clone)]
pub struct NamedCommand(Secret);

impl NamedCommand {
    /// A command for the shell.
    pub fn new(words: impl Into<String>) -> Self {
        Self(Secret::new(words))
    }

    /// Whether the name stands in it, so that it can be run for other files, too.
    pub fn takes_name(&self) -> bool {
        self.0.expose().contains(NAME)
    }

    /// The command for the file of this name, which has to be [`is_plain_name`].
    pub fn for_name(&self, name: &str) -> Secret {
        Secret::new(self.0.expose().replace(NAME, name))
    }
}

/// Whether a shell reads a name as it is written, within quotes of any kind and without: nothing else can be known of
/// where `{name}` stands. It begins with no `-`, which would be an option, nor with `~`.
pub fn is_plain_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+=@,:/".contains(&byte);
    let is_named = name.rsplit('/').next().is_some_and(|last| !matches!(last, "" | "." | ".."));
    is_named && !name.starts_with('-') && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_stands_wherever_it_was_asked_for() {
        let command = NamedCommand::new("put '{name}' \"to/{name}\"");
        assert!(command.takes_name());
        assert_eq!(command.for_name("a.sql").expose(), "put 'a.sql' \"to/a.sql\"");
        assert!(!NamedCommand::new("cat >tape").takes_name());
        assert!(!format!("{command:?}").contains("put"));
    }

    #[test]
    fn a_name_that_a_shell_may_read_otherwise_is_not_plain() {
        for plain in ["backup_20260114_020000.sql.gz", "daily/a.dump", "a+b=c@d,e:f-g"] {
            assert!(is_plain_name(plain), "{plain}");
        }
        for other in [
            "", "a b", "a'b", "a\"b", "$(id)", "`id`", "a;b", "a&b", "a|b", "a\nb", "-rf", "~/a",
            "a*", "a?", "a\\b", "{a,b}", "a>b", "#a", "!a", "ä", "dir/", "..", "a/..", "a\0",
        ] {
            assert!(!is_plain_name(other), "{other}");
        }
    }
}

//! A database's encoding and locale: the source's where the server has it, else C.
//!
//! Pure: makes statements, runs none.

use super::quoting::{quote_ident, quote_literal};

/// Encoding and locale of a database, as the manifest has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale {
    /// Such as `UTF8`.
    pub encoding: String,
    /// `LC_COLLATE`; unknown means C.
    pub collate: Option<String>,
    /// `LC_CTYPE`; unknown means C.UTF-8 for UTF8, else C.
    pub ctype: Option<String>,
    /// `libc`, `icu` or `builtin`, or their letters in `pg_database.datlocprovider`; unknown means
    /// libc.
    pub provider: Option<String>,
    /// The provider's own locale, where it is not libc.
    pub provider_locale: Option<String>,
}

impl Default for Locale {
    fn default() -> Self {
        Self {
            encoding: "UTF8".into(),
            collate: None,
            ctype: None,
            provider: None,
            provider_locale: None,
        }
    }
}

impl Locale {
    /// The default locale in this encoding; UTF8 where none is known.
    pub fn of_encoding(encoding: Option<&str>) -> Self {
        match encoding {
            Some(encoding) => Self { encoding: encoding.to_owned(), ..Self::default() },
            None => Self::default(),
        }
    }

    /// The statements to try in turn, each with what has to be said when it is the one that
    /// worked. `version` is the server's major version.
    pub fn statements(&self, database: &str, version: u32) -> Vec<(String, Option<String>)> {
        let collate = self.collate.as_deref().unwrap_or("C");
        let ctype = match self.ctype.as_deref() {
            Some(ctype) => ctype,
            None if self.is_utf8() => "C.UTF-8",
            None => "C",
        };
        let mut statements = Vec::new();
        if let Some(provider) = self.provider_clause(version) {
            statements.push((self.create(database, collate, ctype, &provider), None));
        }
        let mut fallback = |ctype: &str| {
            let said = self.sorts_otherwise_than_c().then(|| {
                format!(
                    "the server has no locale {}: the database was created with collation C; \
                     sort orders there differ from the source's",
                    self.name()
                )
            });
            let statement = self.create(database, "C", ctype, &libc_clause(version));
            if !statements.iter().any(|(other, _)| *other == statement) {
                statements.push((statement, said));
            }
        };
        if self.is_utf8() {
            fallback("C.UTF-8");
        }
        fallback("C");
        statements
    }

    fn create(&self, database: &str, collate: &str, ctype: &str, provider: &str) -> String {
        format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}{provider}",
            quote_ident(database),
            quote_literal(&self.encoding),
            quote_literal(collate),
            quote_literal(ctype),
        )
    }

    /// Other providers than libc: ICU for databases since 15, the built-in one since 17. `None` where the
    /// server does not know the provider.
    fn provider_clause(&self, version: u32) -> Option<String> {
        match (self.provider.as_deref(), &self.provider_locale) {
            (Some("icu" | "i"), Some(locale)) => (version >= 15)
                .then(|| format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", quote_literal(locale))),
            (Some("builtin" | "b"), Some(locale)) => (version >= 17).then(|| {
                format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", quote_literal(locale))
            }),
            _ => Some(libc_clause(version)),
        }
    }

    /// Whether the encoding is UTF-8: without a locale, letters other than ASCII's are letters there alone.
    pub fn is_utf8(&self) -> bool {
        let plain = self.encoding.replace(['-', '_'], "");
        plain.eq_ignore_ascii_case("UTF8") || plain.eq_ignore_ascii_case("UNICODE")
    }

    /// Whether anything was asked for that C would replace. All built-in locales sort as C does.
    fn sorts_otherwise_than_c(&self) -> bool {
        let builtin = matches!(self.provider.as_deref(), Some("builtin" | "b"));
        !builtin
            && (self.provider_locale.is_some() || self.collate.is_some() || self.ctype.is_some())
    }

    fn name(&self) -> &str {
        self.provider_locale
            .as_deref()
            .or(self.collate.as_deref())
            .or(self.ctype.as_deref())
            .unwrap_or("C")
    }
}

fn libc_clause(version: u32) -> String {
    // The cluster's default need not be libc in an image of its own making.
    if version >= 15 { " LOCALE_PROVIDER libc".into() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_locale_is_c_with_utf8_character_classes() {
        let statements = Locale::default().statements("restore_test", 14);
        assert_eq!(
            statements[0],
            (
                "CREATE DATABASE \"restore_test\" TEMPLATE template0 ENCODING 'UTF8' \
                 LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
                    .to_owned(),
                None
            )
        );
        assert_eq!(statements.len(), 2);
        assert_eq!(statements[1].1, None);
    }

    #[test]
    fn a_locale_that_is_replaced_is_announced() {
        let locale = Locale {
            collate: Some("sv_SE.UTF-8".into()),
            ctype: Some("sv_SE.UTF-8".into()),
            ..Locale::default()
        };
        let statements = locale.statements("d", 15);
        assert!(statements[0].0.contains("LC_COLLATE 'sv_SE.UTF-8'"));
        assert!(statements[1].1.as_ref().unwrap().contains("sv_SE.UTF-8"));
    }

    #[test]
    fn icu_is_asked_for_where_the_server_knows_it() {
        let locale = Locale {
            collate: Some("C".into()),
            provider: Some("i".into()),
            provider_locale: Some("de-AT".into()),
            ..Locale::default()
        };
        let first = |version| locale.statements("d", version).remove(0).0;
        assert!(first(15).ends_with("LOCALE_PROVIDER icu ICU_LOCALE 'de-AT'"));
        assert!(!first(14).contains("ICU"));
        let (_, said) = locale.statements("d", 14).remove(0);
        assert!(said.is_some_and(|said| said.contains("de-AT")));
    }

    #[test]
    fn a_built_in_locale_is_c_to_a_server_that_does_not_know_it() {
        let locale = Locale {
            collate: Some("de_DE.UTF-8".into()),
            ctype: Some("de_DE.UTF-8".into()),
            provider: Some("b".into()),
            provider_locale: Some("C.UTF-8".into()),
            ..Locale::default()
        };
        let first = |version| locale.statements("d", version).remove(0);
        assert!(first(17).0.ends_with("LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"));
        let (statement, said) = first(16);
        assert!(statement.contains("LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"), "{statement}");
        assert_eq!(said, None);
    }
}

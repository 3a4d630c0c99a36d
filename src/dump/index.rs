//! What an index is called and built of, as far as one wants to guess how long that takes: its access method, its columns
//! and expressions, whether it is of some rows only.

use super::item::{Name, Statement};
use super::token::{Token, Tokens};

/// What an index is built of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexShape {
    /// Its name; its schema is its table's.
    pub name: Name,
    /// The access method, in small letters.
    pub method: String,
    /// What it is built on, in order; columns that are only included are not among them.
    pub keys: Vec<Key>,
    /// It has a WHERE.
    pub is_partial: bool,
    /// It is of the trigrams of a text, of which there are nearly as many as letters.
    pub is_of_trigrams: bool,
}

/// What an index is built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A column.
    Column(Name),
    /// What is computed for each row.
    Expression,
}

impl IndexShape {
    /// The index that a statement makes by itself, or for a constraint; `None` where it makes none.
    #[must_use]
    pub fn of(statement: &Statement) -> Option<Self> {
        let mut tokens = Tokens::of(&statement.text);
        if tokens.take_word("create") {
            let _ = tokens.take_word("unique");
            if !tokens.take_word("index") {
                return None;
            }
            let name = tokens.take_name()?;
            if !tokens.take_word("on") {
                return None;
            }
            let _ = tokens.take_word("only");
            tokens.take_qualified()?;
            return built(name, tokens);
        }
        if !tokens.take_word("alter") || !tokens.take_word("table") {
            return None;
        }
        let _ = tokens.take_word("only");
        tokens.take_qualified()?;
        if !tokens.take_word("add") || !tokens.take_word("constraint") {
            return None;
        }
        let name = tokens.take_name()?;
        if tokens.take_word("primary") {
            return tokens.take_word("key").then(|| built(name, tokens))?;
        }
        if tokens.take_word("unique") {
            if tokens.take_word("nulls") {
                let _ = tokens.take_word("not");
                tokens.next();
            }
            return built(name, tokens);
        }
        if tokens.take_word("exclude") { built(name, tokens) } else { None }
    }
}

/// `[USING method] (keys) … [WHERE …]`
fn built(name: Vec<u8>, mut tokens: Tokens<'_>) -> Option<IndexShape> {
    let method = match tokens.take_word("using") {
        true => String::from_utf8_lossy(&tokens.take_name()?).into_owned(),
        false => "btree".to_owned(),
    };
    if !tokens.take_mark(b'(') {
        return None;
    }
    let (mut keys, mut is_of_trigrams) = (Vec::new(), false);
    loop {
        keys.push(key(&mut tokens)?);
        if after_comma(&mut tokens, &mut is_of_trigrams)? {
            continue;
        }
        let is_partial = is_partial(tokens);
        let name = name.into();
        return Some(IndexShape { name, method, keys, is_partial, is_of_trigrams });
    }
}

/// The beginning of a key: a column, unless something is called or in parentheses.
fn key(tokens: &mut Tokens<'_>) -> Option<Key> {
    let mut ahead = tokens.clone();
    let Some(name) = ahead.take_name() else { return Some(Key::Expression) };
    match ahead.clone().next()? {
        Token::Mark(b'(' | b'.') => Some(Key::Expression),
        _ => {
            *tokens = ahead;
            Some(Key::Column(name.into()))
        }
    }
}

/// Steps over the rest of a key: whether another one follows. Its operator class is there.
fn after_comma(tokens: &mut Tokens<'_>, is_of_trigrams: &mut bool) -> Option<bool> {
    let mut depth = 0_u32;
    loop {
        match tokens.next()? {
            Token::Word(word) if depth == 0 && word.ends_with(b"_trgm_ops") => {
                *is_of_trigrams = true;
            }
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') if depth == 0 => return Some(false),
            Token::Mark(b')') => depth -= 1,
            Token::Mark(b',') if depth == 0 => return Some(true),
            _ => {}
        }
    }
}

fn is_partial(tokens: Tokens<'_>) -> bool {
    let mut depth = 0_i32;
    for token in tokens {
        match token {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth -= 1,
            token if depth == 0 && token.is_word("where") => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Option<(String, Vec<String>, bool)> {
        let statement = Statement { text: text.to_owned().into(), toc: None, line: 1, offset: 0 };
        let shape = IndexShape::of(&statement)?;
        let IndexShape { name, method, keys, is_partial, is_of_trigrams } = shape;
        assert!(text.contains(&format!(" {name} ")) || text.contains(&format!("\"{name}\"")));
        assert_eq!(is_of_trigrams, text.contains("trgm"));
        let keys = keys.iter().map(|key| match key {
            Key::Column(name) => name.to_string(),
            Key::Expression => "()".to_owned(),
        });
        Some((method, keys.collect(), is_partial))
    }

    #[test]
    fn an_index_tells_its_method_its_columns_and_its_expressions() {
        for (text, method, keys, is_partial) in [
            ("CREATE INDEX i ON public.a USING btree (b);", "btree", &["b"][..], false),
            (
                "CREATE UNIQUE INDEX \"on\" ON ONLY public.a USING btree (b DESC NULLS LAST, \"C (\" COLLATE \"C\") INCLUDE (d);",
                "btree",
                &["b", "C ("],
                false,
            ),
            (
                "CREATE INDEX i ON public.a USING gist (lower(b, 'x)'), public.f(c), ((d ->> 'x'::text)), e) WHERE (e > 0);",
                "gist",
                &["()", "()", "()", "e"],
                true,
            ),
            (
                "CREATE INDEX i ON public.a USING GIN (doc public.gin_trgm_ops (siglen='32')) WITH (fastupdate='on');",
                "gin",
                &["doc"],
                false,
            ),
            ("CREATE INDEX i ON a (b);", "btree", &["b"], false),
            (
                "ALTER TABLE ONLY public.a ADD CONSTRAINT p PRIMARY KEY (id, b);",
                "btree",
                &["id", "b"],
                false,
            ),
            (
                "ALTER TABLE public.a ADD CONSTRAINT u UNIQUE NULLS NOT DISTINCT (b);",
                "btree",
                &["b"],
                false,
            ),
            (
                "ALTER TABLE public.a ADD CONSTRAINT e EXCLUDE USING gist (room WITH =, during WITH &&) WHERE ((NOT gone));",
                "gist",
                &["room", "during"],
                true,
            ),
        ] {
            let keys = keys.iter().map(ToString::to_string).collect();
            assert_eq!(shape(text), Some((method.to_owned(), keys, is_partial)), "{text}");
        }
    }

    #[test]
    fn what_makes_no_index_has_no_shape() {
        for text in [
            "CREATE TABLE public.a (id integer);",
            "ALTER TABLE public.a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES public.c(id);",
            "ALTER TABLE public.a ADD CONSTRAINT c CHECK ((b > 0));",
            "ALTER TABLE public.a CLUSTER ON i;",
            "CREATE INDEX i ON a",
        ] {
            assert_eq!(shape(text), None, "{text}");
        }
    }
}

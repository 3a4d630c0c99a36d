//! What a file in Python assigns to names of its own, read and never run: strings, tuples and lists of them, and `None`.
//!
//! Source: The Python Language Reference, "Lexical analysis". What is beyond that is not understood, and not guessed.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// The strings that a name has; `None` has none.
pub type Strings = Vec<String>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    Text(String),
    Sign(char),
    /// A number, a text that is computed, and whatever else no value of ours is.
    Other,
}

/// A statement of one logical line, or a part of that before `;`.
struct Statement {
    tokens: Vec<Token>,
    line: usize,
    indented: bool,
}

/// What `names` are assigned at the top of the file, the last time.
///
/// # Errors
/// The line, from 1, of the first assignment to one of them that is not understood.
pub fn assignments(text: &str, names: &[&str]) -> Result<BTreeMap<String, Strings>, usize> {
    let mut found = BTreeMap::new();
    let mut in_definition = false;
    for Statement { tokens, line, indented } in statements(text) {
        let Some(Token::Name(first)) = tokens.first() else { continue };
        if !indented {
            in_definition = ["def", "class", "async"].contains(&first.as_str());
        }
        if !names.contains(&first.as_str()) {
            continue;
        }
        match assigned(&tokens[1..]) {
            // A name of a function's own.
            _ if indented && in_definition => {}
            Assigned::Nothing => {}
            Assigned::Value(value) if !indented => {
                found.insert(first.clone(), strings(value).ok_or(line)?);
            }
            _ => return Err(line),
        }
    }
    Ok(found)
}

enum Assigned<'a> {
    /// It is no assignment.
    Nothing,
    Value(&'a [Token]),
    /// It is changed in another way.
    Otherwise,
}

/// What follows a name: `= value`, `: annotation = value`, `+= value`.
fn assigned(rest: &[Token]) -> Assigned<'_> {
    match rest {
        [Token::Sign('='), Token::Sign('='), ..] => Assigned::Nothing,
        [Token::Sign('='), value @ ..] => Assigned::Value(value),
        [Token::Sign(':'), annotated @ ..] => {
            let is = |token: &Token| *token == Token::Sign('=');
            match annotated.iter().position(is) {
                Some(at) => Assigned::Value(&annotated[at + 1..]),
                None => Assigned::Nothing,
            }
        }
        [Token::Sign('+' | '-' | '*' | '/' | '|' | '&' | '%'), ..] => Assigned::Otherwise,
        [Token::Sign(','), ..] => Assigned::Otherwise,
        _ => Assigned::Nothing,
    }
}

/// A string, several, or `None`.
fn strings(value: &[Token]) -> Option<Strings> {
    let (open, close) = (value.first()?, value.last()?);
    let pairs = [('(', ')'), ('[', ']'), ('{', '}')];
    let is_pair =
        |(one, other): &(char, char)| *open == Token::Sign(*one) && *close == Token::Sign(*other);
    if pairs.iter().any(is_pair) && value.len() > 1 {
        let inner = &value[1..value.len() - 1];
        return if inner.is_empty() { Some(Vec::new()) } else { strings(inner) };
    }
    if value == [Token::Name("None".to_owned())] {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    let items = value.strip_suffix(&[Token::Sign(',')]).unwrap_or(value);
    for item in items.split(|token| *token == Token::Sign(',')) {
        // Texts that stand beside each other are one.
        let mut text = String::new();
        for token in item {
            let Token::Text(part) = token else { return None };
            text.push_str(part);
        }
        (!item.is_empty()).then_some(())?;
        found.push(text);
    }
    Some(found)
}

fn statements(text: &str) -> Vec<Statement> {
    let mut reader = Reader { rest: text.chars().peekable(), line: 1, depth: 0 };
    let mut all = Vec::new();
    while reader.rest.peek().is_some() {
        let indented = reader.skip_indentation();
        reader.logical_line(indented, &mut all);
    }
    all
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    depth: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        if next == Some('\n') {
            self.line += 1;
        }
        next
    }

    fn skip_indentation(&mut self) -> bool {
        let mut indented = false;
        while self.rest.next_if(|c| matches!(c, ' ' | '\t' | '\u{c}' | '\u{feff}')).is_some_and(
            |c| {
                indented |= matches!(c, ' ' | '\t');
                true
            },
        ) {}
        indented
    }

    /// Reads to the end of a line that no bracket and no backslash leads on.
    fn logical_line(&mut self, indented: bool, all: &mut Vec<Statement>) {
        let mut tokens = Vec::new();
        let mut line = self.line;
        while let Some(c) = self.next() {
            match c {
                '\n' if self.depth == 0 => break,
                ';' if self.depth == 0 => {
                    all.push(Statement { tokens: std::mem::take(&mut tokens), line, indented });
                    line = self.line;
                }
                '\\' => {
                    self.rest.next_if_eq(&'\r');
                    if self.rest.peek() == Some(&'\n') {
                        self.next();
                    }
                }
                '#' => while self.rest.next_if(|c| *c != '\n').is_some() {},
                c if c.is_whitespace() => {}
                '\'' | '"' => tokens.push(self.text(c, false).map_or(Token::Other, Token::Text)),
                c if c.is_alphabetic() || c == '_' => tokens.push(self.word(c)),
                c if c.is_numeric() => {
                    while self
                        .rest
                        .next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
                        .is_some()
                    {}
                    tokens.push(Token::Other);
                }
                c => {
                    match c {
                        '(' | '[' | '{' => self.depth += 1,
                        ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
                        _ => {}
                    }
                    tokens.push(Token::Sign(c));
                }
            }
        }
        all.push(Statement { tokens, line, indented });
    }

    /// A name, or a text with letters before it that say how it is meant.
    fn word(&mut self, first: char) -> Token {
        let mut word = String::from(first);
        while let Some(c) = self.rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
            word.push(c);
        }
        let Some(quote) = self.rest.next_if(|c| matches!(c, '\'' | '"')) else {
            return Token::Name(word);
        };
        let prefix = word.to_ascii_lowercase();
        let text = self.text(quote, prefix.contains('r'));
        match (prefix.as_str(), text) {
            ("r" | "u", Some(text)) => Token::Text(text),
            _ => Token::Other,
        }
    }

    /// A text behind its first quote; nothing where it has escapes, which no id of a revision has.
    fn text(&mut self, quote: char, raw: bool) -> Option<String> {
        let mut quotes = 1;
        while quotes < 3 && self.rest.next_if_eq(&quote).is_some() {
            quotes += 1;
        }
        // Two of them are an empty text.
        if quotes == 2 {
            return Some(String::new());
        }
        let (mut text, mut plain, mut closing) = (String::new(), true, 0);
        while let Some(c) = self.next() {
            if c == quote {
                closing += 1;
                if closing == quotes {
                    return plain.then_some(text);
                }
                continue;
            }
            text.extend(std::iter::repeat_n(quote, std::mem::take(&mut closing)));
            match c {
                '\\' => {
                    plain &= raw;
                    text.push(c);
                    text.extend(self.next());
                }
                // Without its end.
                '\n' if quotes == 1 => return None,
                c => text.push(c),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Strings)>, usize> {
        assignments(text, &["revision", "down_revision"]).map(|found| found.into_iter().collect())
    }

    fn revision(text: &str) -> Option<Strings> {
        let found = read(text).ok()?;
        found.into_iter().find(|(name, _)| name == "revision").map(|(_, strings)| strings)
    }

    #[test]
    fn a_file_as_alembic_writes_it_is_read() {
        let text = "\"\"\"create a table\n\nRevision ID: ae1027a6acf\nRevises: 1975ea83b712\n\nrevision = 'no'\n\"\"\"\n\
                    from typing import Sequence, Union\n\nfrom alembic import op\n\n\
                    # revision identifiers, used by Alembic.\nrevision: str = 'ae1027a6acf'\n\
                    down_revision: Union[str, Sequence[str], None] = (\n    '1975ea83b712',  # one\n    \"b2\",\n)\n\n\n\
                    def upgrade() -> None:\n    revision = op.get_bind()\n    op.execute(\"x = 'y'\")\n";
        let expected = [
            ("down_revision".to_owned(), vec!["1975ea83b712".to_owned(), "b2".to_owned()]),
            ("revision".to_owned(), vec!["ae1027a6acf".to_owned()]),
        ];
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn values_are_strings_tuples_lists_and_none() {
        for (value, strings) in [
            ("'a'", &["a"][..]),
            ("\"a\"", &["a"]),
            ("'''a'''", &["a"]),
            ("r'a'", &["a"]),
            ("u\"a\"", &["a"]),
            ("'a' 'b'", &["ab"]),
            ("('a')", &["a"]),
            ("('a',)", &["a"]),
            ("'a', 'b'", &["a", "b"]),
            ("['a', \"b\"]", &["a", "b"]),
            ("{'a'}", &["a"]),
            ("\\\n    'a'", &["a"]),
            ("'a' # b", &["a"]),
            ("'a'; x = 2", &["a"]),
            ("None", &[]),
            ("()", &[]),
            ("''", &[""]),
        ] {
            assert_eq!(revision(&format!("revision = {value}\n")).unwrap(), strings, "{value}");
        }
        assert_eq!(revision("revision = 'a'\nrevision = 'b'").unwrap(), ["b"]);
    }

    #[test]
    fn what_is_computed_is_not_understood_and_its_line_is_named() {
        for value in [
            "f'a'",
            "b'a'",
            "make()",
            "'a' + 'b'",
            "'a\\n'",
            "[x for x in y]",
            "('a', None)",
            "5",
            "'a",
            "",
        ] {
            assert_eq!(read(&format!("# one\nrevision = {value}\n")), Err(2), "{value}");
        }
        for text in [
            "if x:\n    revision = 'a'\n",
            "try:\n    revision = 'a'\nexcept E:\n    pass\n",
            "\nrevision += 'a'\n",
            "\nrevision, other = f()\n",
        ] {
            assert_eq!(read(text), Err(2), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_an_assignment_is_none() {
        for text in [
            "'''\nrevision = 'a'\n'''\n",
            "# revision = 'a'\n",
            "x = 'revision = 1'\n",
            "f(\nrevision = 'a')\n",
            "class A:\n    revision = 'a'\n",
            "revision: str\n",
            "revision == 'a'\n",
            "my_revision = 'a'\n",
            "",
        ] {
            assert_eq!(read(text), Ok(Vec::new()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "(revision|=|'|\"|\\(|\\)|,|\\\\|\n| |#|[\\PC]){0,60}") {
            let _ = read(&text);
        }
    }
}

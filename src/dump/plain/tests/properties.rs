//! The reader on arbitrary dumps: made from parts whose meaning is known.

use proptest::prelude::*;

use super::*;

/// A part of a made-up dump and what the reader must make of it.
#[derive(Debug, Clone)]
enum Part {
    Statement(String),
    Copy(String, Vec<String>),
    Space(String),
}

/// Text that may stand inside quotes, full of what could be mistaken.
fn inside() -> impl Strategy<Value = String> {
    let traps = [
        ";",
        "\n",
        "\r\n",
        "\\",
        "--",
        "/*",
        "*/",
        "(",
        ")",
        " ",
        "x",
        "é",
        "$",
        "$$",
        "$t$",
        ":v",
        "\n\\.\n",
        "\nCOPY t FROM stdin;\n",
        "\n-- PostgreSQL database dump complete\n",
        "BEGIN",
        "\n\\! id\n",
        "\n-- Name: x; Type: TABLE; Schema: y; Owner: z\n",
        "E",
        "U&",
        "END",
    ];
    proptest::collection::vec(prop::sample::select(traps.to_vec()), 0..6).prop_map(|t| t.concat())
}

/// A piece of a statement that is complete in itself, space after it.
fn piece() -> impl Strategy<Value = String> {
    let comment = inside().prop_map(|text| text.replace(['*', '/'], "."));
    let line = inside().prop_map(|text| text.replace(['\n', '\r'], "."));
    prop_oneof![
        prop::sample::select(vec![
            "SELECT", "1", ",", "e", "u", "x", "a$1$", "$1", "+", "-", "/", "*", "BEGIN", "END",
            "CASE", "COPY", "t.\"a\"", "::", "é", "U", "1.5", "(a;b)", "((;)())",
        ])
        .prop_map(str::to_owned),
        (prop::sample::select(vec!["", "U&", "N", "ab", "e$"]), inside())
            .prop_map(|(prefix, text)| format!("{prefix}'{}''{text}'", text)),
        // A literal after a newline would continue this one, by its rules for backslashes: only where that is meant.
        (
            prop::sample::select(vec!["E", "e", "1-E"]),
            inside(),
            prop::sample::select(vec!["", "\n'\\''", " --'\n '\\''"]),
        )
            .prop_map(|(prefix, text, continued)| {
                let text = text.replace('\\', "\\\\");
                format!("{prefix}'{text}\\''''{continued} ||")
            }),
        inside().prop_map(|text| format!("\"{text}\"\"{text}\"")),
        inside().prop_map(|text| format!("$tag${text}$tag$")),
        inside().prop_map(|text| format!("$${}$$", text.replace('$', "."))),
        comment.prop_map(|text| format!("/* {text} /* {text} */ {text} */")),
        line.prop_map(|text| format!("--{text}\n")),
    ]
    .prop_map(|piece| piece + " ")
}

fn statement() -> impl Strategy<Value = String> {
    let routine =
        (prop::sample::select(vec!["CREATE FUNCTION", "create or replace procedure"]), pieces())
            .prop_map(|(create, body)| {
                let body = body.replace("END ", "").replace("CASE ", "CASE x END ");
                format!("{create} f() BEGIN /* */ ATOMIC {body}; SELECT CASE x; END; {body}; END")
            });
    prop_oneof![
        9 => pieces().prop_map(|body| format!("ALTER {body}")),
        1 => routine,
    ]
    .prop_map(|text| text.trim_end().to_owned() + "\n;")
}

fn pieces() -> impl Strategy<Value = String> {
    proptest::collection::vec(piece(), 0..8).prop_map(|pieces| pieces.concat())
}

/// A row in COPY's text format; never the terminator.
fn row() -> impl Strategy<Value = String> {
    let parts =
        ["\\\\", "\\N", "\\.", "\\n", "\t", "1", "é", ".", "--", "'", ";", "\\.\r", "\\\\."];
    proptest::collection::vec(prop::sample::select(parts.to_vec()), 0..6)
        .prop_map(|parts| parts.concat())
        .prop_filter("the terminator", |row| row != "\\." && row != "\\.\r")
}

fn part() -> impl Strategy<Value = Part> {
    let head = prop::sample::select(vec![
        "COPY public.t (a, \"b;\n\") FROM stdin;",
        "COPY public.t  FROM stdin;",
        "copy \"é\\\"\"\" (x)\nfrom /* ; */ STDIN;",
    ]);
    prop_oneof![
        4 => statement().prop_map(Part::Statement),
        3 => (head, proptest::collection::vec(row(), 0..6))
            .prop_map(|(head, rows)| Part::Copy(head.to_owned(), rows)),
        2 => prop::sample::select(vec![
            "\n\n", " ", "-- ;'\n", "--\n-- Name: x; Type: COMMENT; Schema: y; Owner: z\n--\n",
            "/* ' /* ; */ \\! */", ";", "\t\r\n",
        ])
        .prop_map(|text| Part::Space(text.to_owned())),
    ]
}

/// No dump is nothing but space and comments.
fn says_something(parts: &[Part]) -> bool {
    parts.iter().any(|part| !matches!(part, Part::Space(_)))
}

fn written(parts: &[Part]) -> String {
    let mut text = HEAD.to_owned();
    for part in parts {
        match part {
            Part::Statement(statement) => text.extend([statement.as_str(), "\n"]),
            Part::Copy(head, rows) => {
                text.extend([head, "\n"]);
                rows.iter().for_each(|row| text.extend([row.as_str(), "\n"]));
                text.push_str("\\.\n");
            }
            Part::Space(space) => text.push_str(space),
        }
    }
    text.push('\n');
    text.push_str(TAIL);
    text
}

/// What was read, in the form of what was written.
fn understood(items: &[Item]) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    items
        .iter()
        .map(|item| match item {
            Item::Statement(statement) => text(&statement.text),
            Item::CopyStart(block) => text(&block.statement.text),
            Item::CopyData(data) => text(data),
            Item::CopyEnd => "\\.".to_owned(),
            Item::Meta(meta) => format!("{meta:?}"),
        })
        .collect()
}

fn expected(parts: &[Part]) -> Vec<String> {
    let mut expected = Vec::new();
    for part in parts {
        match part {
            Part::Statement(statement) => expected.push(statement.clone()),
            Part::Copy(head, rows) => {
                expected.push(head.clone());
                let data: String = rows.iter().map(|row| format!("{row}\n")).collect();
                expected.extend((!data.is_empty()).then_some(data));
                expected.push("\\.".to_owned());
            }
            Part::Space(_) => {}
        }
    }
    expected
}

proptest! {
    #[test]
    fn what_was_written_is_read_however_it_is_cut_into_pieces(
        parts in proptest::collection::vec(part(), 0..8),
        sizes in proptest::collection::vec(1_usize..40, 1..8),
    ) {
        prop_assume!(says_something(&parts));
        let text = written(&parts);
        let (items, result, facts) = read_by(text.as_bytes(), usize::MAX);
        prop_assert_eq!(result, Ok(()), "{}", text);
        prop_assert_eq!(understood(&items), expected(&parts), "{}", text);
        for item in &items {
            if let Item::Statement(statement) = item {
                let before = &text[..usize::try_from(statement.offset).expect("an offset")];
                prop_assert_eq!(statement.line as usize, before.matches('\n').count() + 1);
                prop_assert!(text.as_bytes()[before.len()..].starts_with(&statement.text));
            }
        }
        for size in sizes {
            prop_assert_eq!(&read_by(text.as_bytes(), size), &(items.clone(), Ok(()), facts.clone()));
        }
    }

    #[test]
    fn a_dump_cut_before_its_last_line_is_never_accepted(
        parts in proptest::collection::vec(part(), 0..5),
    ) {
        prop_assume!(says_something(&parts));
        let text = written(&parts);
        let complete = text.rfind("complete\n").expect("a trailer") + "complete\n".len();
        for cut in 0..text.len() {
            let (_, result, _) = read_by(&text.as_bytes()[..cut], usize::MAX);
            prop_assert_eq!(result.is_ok(), cut >= complete, "cut at {} of {:?}", cut, text);
        }
    }

    #[test]
    fn arbitrary_bytes_give_the_same_however_they_are_cut(
        bytes in proptest::collection::vec(
            prop_oneof![prop::sample::select(b"';$\\\n\r-/*\"eEuU&.( )x\0".to_vec()), any::<u8>()],
            0..200,
        ),
        size in 1_usize..9,
    ) {
        let text = [HEAD.as_bytes(), &bytes].concat();
        let (items, result, _) = read_by(&text, usize::MAX);
        let (cut_items, cut_result, _) = read_by(&text, size);
        prop_assert_eq!(items, cut_items);
        prop_assert_eq!(result.is_ok(), cut_result.is_ok());
    }
}

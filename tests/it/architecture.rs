//! The code keeps to the table of docs/architecture.md: which module may import which, who exits,
//! who knows which library.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support::repository;

/// A row of the table.
#[derive(Debug)]
struct Row {
    module: String,
    may_import: Vec<String>,
}

/// The table, from the highest module to the lowest.
fn table() -> Vec<Row> {
    let text = std::fs::read_to_string(repository("docs/architecture.md")).unwrap();
    let rows =
        text.lines().skip_while(|line| !(line.starts_with('|') && line.contains("may import")));
    let rows: Vec<Vec<&str>> =
        rows.skip(2).take_while(|line| line.starts_with('|')).map(cells).collect();
    assert!(rows.len() > 5, "docs/architecture.md has no table of modules");
    let modules: Vec<String> = rows.iter().map(|cells| module_of(cells[0])).collect();
    let row = |(at, cells): (usize, &Vec<&str>)| Row {
        module: modules[at].clone(),
        may_import: match *cells.last().unwrap() {
            "everything below" => modules[at + 1..].to_vec(),
            "–" | "-" | "" => Vec::new(),
            list => list.split(',').map(module_of).collect(),
        },
    };
    rows.iter().enumerate().map(row).collect()
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

/// The module that a cell names: `` `commands/{create,…}.rs` `` is `commands`, and so is
/// `commands (all of it)`.
fn module_of(cell: &str) -> String {
    let name = cell.trim().trim_start_matches('`');
    name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// A source file: its module, its path, and its code without comments and unit tests.
struct Source {
    module: String,
    path: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = repository("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let source = |file: PathBuf| {
        let path = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code: Vec<&str> =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        Source { module: module_of(&path), path, code: code.join("\n") }
    };
    files.into_iter().map(source).filter(|source| source.module != "lib").collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            collect(&path, files);
        } else if name.ends_with(".rs") && name != "tests.rs" && !name.ends_with("_tests.rs") {
            files.push(path);
        }
    }
}

/// The modules that code names by `crate::` (`ccc_backup::` in the binary).
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for prefix in ["crate::", "ccc_backup::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            match rest.strip_prefix('{') {
                None => {
                    found.insert(module_of(rest));
                }
                Some(group) => found.extend(group_members(group)),
            }
        }
    }
    found.remove("");
    found
}

/// The first names in `a::{b, c}, d}`: a and d.
fn group_members(group: &str) -> Vec<String> {
    let mut depth = 1;
    let mut members = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => members.push(String::new()),
            _ if depth == 1 => members.last_mut().unwrap().push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    members.iter().map(|member| module_of(member)).collect()
}

#[test]
fn every_module_imports_only_what_the_table_allows() {
    let table = table();
    let mut broken = Vec::new();
    for source in sources() {
        let Some(row) = table.iter().find(|row| row.module == source.module) else {
            broken.push(format!("src/{} is of no module of the table", source.path));
            continue;
        };
        for import in imports(&source.code) {
            if import != source.module && !row.may_import.contains(&import) {
                broken.push(format!("src/{} imports {import}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "docs/architecture.md does not allow:\n{}", broken.join("\n"));
}

#[test]
fn every_row_is_a_module_and_imports_only_rows_below() {
    let table = table();
    let modules: BTreeSet<String> = sources().into_iter().map(|source| source.module).collect();
    for (at, row) in table.iter().enumerate() {
        assert!(modules.contains(&row.module), "there is no module {}", row.module);
        for import in &row.may_import {
            let below = table[at + 1..].iter().any(|lower| lower.module == *import);
            assert!(below, "{} may import {import}, which is not below it", row.module);
        }
    }
}

/// Paths of the files whose code has `words`, but for those that begin with one of `allowed`.
fn others_with(words: &str, allowed: &[&str]) -> Vec<String> {
    let other = |source: &Source| {
        source.code.contains(words) && !allowed.iter().any(|path| source.path.starts_with(path))
    };
    sources().into_iter().filter(other).map(|source| source.path).collect()
}

#[test]
fn only_main_exits() {
    assert_eq!(others_with("process::exit", &["main.rs"]), Vec::<String>::new());
}

#[test]
fn each_library_at_the_edge_is_known_to_one_module() {
    for (library, allowed) in [
        ("bollard::", &["sandbox/docker/"][..]),
        ("clap::", &["cli.rs", "cli/", "main.rs", "man.rs"]),
        ("flate2::", &["packing/"]),
        ("libdeflater::", &["packing/"]),
        ("maud::", &["report/html/"]),
        ("plotters::", &["report/html/plot.rs"]),
        ("object_store::", &["store/objects/"]),
        ("reqwest::", &["http.rs", "notify/", "store/objects/"]),
        ("rustls::", &["http.rs", "pg/tls/", "pg/refusal.rs", "sandbox/docker/tls.rs"]),
        ("ssh_key::", &["signing/"]),
        ("std::io::stdout", &["report/"]),
    ] {
        assert_eq!(others_with(library, allowed), Vec::<String>::new(), "{library}");
    }
}

#[test]
fn grouped_imports_are_seen() {
    let code = "use crate::{a, b::{c, d}, e::f};\nuse crate::g::h;\nlet x = crate::i();";
    let found: Vec<String> = imports(code).into_iter().collect();
    assert_eq!(found, ["a", "b", "e", "g", "i"]);
}

/// The segments of a file's module: `dump/plain/gap.rs` is `dump::plain::gap`.
fn segments(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// All paths from the root that code of the module `own` names by `crate::` and `super::`.
fn paths(code: &str, own: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let inside = |at: usize| {
        code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':')
    };
    for (at, _) in code.match_indices("crate::").filter(|(at, _)| !inside(*at)) {
        expand(Vec::new(), &code[at + "crate::".len()..], &mut found);
    }
    for (at, _) in code.match_indices("super::").filter(|(at, _)| !inside(*at)) {
        let (mut rest, mut above) = (&code[at..], own);
        while let (Some(after), Some((_, parents))) =
            (rest.strip_prefix("super::"), above.split_last())
        {
            (rest, above) = (after, parents);
        }
        expand(above.to_vec(), rest, &mut found);
    }
    found
}

/// Adds what `a::{b, c::d}` names below `prefix`.
fn expand(mut prefix: Vec<String>, text: &str, found: &mut Vec<Vec<String>>) {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let mut depth = 0;
        let mut begin = 0;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' | ',' if depth == 0 => {
                    expand(prefix.clone(), &group[begin..at], found);
                    begin = at + 1;
                    if c == '}' {
                        return;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        return;
    }
    let name = module_of(text);
    if name.is_empty() {
        return;
    }
    let rest = &text[name.len()..];
    if name != "self" {
        prefix.push(name);
    }
    match rest.strip_prefix("::") {
        Some(rest) => expand(prefix, rest, found),
        None => found.push(prefix),
    }
}

/// What a module's own file hands on of its children: name, and the child that has it.
fn reexports(code: &str, own: &[String]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in code.split("pub use ").skip(1) {
        let mut named = Vec::new();
        expand(own.to_vec(), line.trim_start_matches("self::"), &mut named);
        let below =
            named.into_iter().filter_map(|path| Some((path.last()?.clone(), path.get(1)?.clone())));
        found.extend(below);
    }
    found
}

/// Code without what it only hands on.
fn without_reexports(code: &str) -> String {
    let mut parts = code.split("pub use ");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |kept, part| kept + part.split_once(';').map_or("", |(_, rest)| rest))
}

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Which children of `module` name which, where the module's own file is `(own)`.
fn graph_of(module: &str, sources: &[Source]) -> Graph {
    const OWN: &str = "(own)";
    let of_module: Vec<(&Source, Vec<String>)> = sources
        .iter()
        .map(|source| (source, segments(&source.path)))
        .filter(|(_, path)| path[0] == module)
        .collect();
    let children: BTreeSet<&String> =
        of_module.iter().filter_map(|(_, path)| path.get(1)).collect();
    let own = of_module.iter().find(|(_, path)| path.len() == 1);
    let handed = own.map(|(source, path)| reexports(&source.code, path)).unwrap_or_default();
    let mut graph = Graph::new();
    for (source, path) in &of_module {
        let node = path.get(1).map_or(OWN, String::as_str);
        let code = without_reexports(&source.code);
        let mut named = paths(&code, path);
        if node == OWN {
            let below = children.iter().filter(|child| {
                let words = format!("{child}::");
                code.match_indices(&words).any(|(at, _)| {
                    !code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "_:".contains(c))
                })
            });
            named.extend(below.map(|child| vec![module.to_owned(), (*child).clone()]));
        }
        for path in named.iter().filter(|path| path[0] == module) {
            let Some(name) = path.get(1) else { continue };
            let target = if children.contains(name) {
                name.as_str()
            } else {
                handed.get(name).map_or(OWN, String::as_str)
            };
            if target != node {
                graph.entry(node.to_owned()).or_default().insert(target.to_owned());
            }
        }
    }
    graph
}

/// What is left of a graph when everything goes that names nothing which is left, or is named by nothing.
fn circles(mut graph: Graph) -> Graph {
    loop {
        let before = graph.len();
        let names: BTreeSet<String> = graph.keys().cloned().collect();
        graph.values_mut().for_each(|named| named.retain(|name| names.contains(name)));
        let named: BTreeSet<String> = graph.values().flatten().cloned().collect();
        graph.retain(|name, names| !names.is_empty() && named.contains(name));
        if graph.len() == before {
            return graph;
        }
    }
}

#[test]
fn the_files_of_a_module_form_no_circle() {
    let sources = sources();
    for row in table() {
        let circles = circles(graph_of(&row.module, &sources));
        assert!(circles.is_empty(), "{}: {circles:#?}", row.module);
    }
}

#[test]
fn a_circle_between_files_is_seen_however_they_name_each_other() {
    let source = |path: &str, code: &str| Source {
        module: "a".to_owned(),
        path: path.to_owned(),
        code: code.to_owned(),
    };
    let circle = |files: &[(&str, &str)]| {
        let sources: Vec<Source> = files.iter().map(|(path, code)| source(path, code)).collect();
        !circles(graph_of("a", &sources)).is_empty()
    };
    assert!(!circle(&[("a/b.rs", "use super::c::X;"), ("a/c.rs", "use crate::d;")]));
    assert!(circle(&[
        ("a/b.rs", "use super::c::X;"),
        ("a/c/d.rs", "use super::super::b::{Y, Z};")
    ]));
    assert!(circle(&[("a/b.rs", "crate::a::{e, c::X}"), ("a/c.rs", "use crate::a::b::Y;")]));
    assert!(circle(&[("a/mod.rs", "fn x() { b::y() }"), ("a/b.rs", "use super::Z;")]));
    assert!(!circle(&[
        ("a/mod.rs", "pub use c::Z;\nfn x() { b::y() }"),
        ("a/b.rs", "use super::Z;")
    ]));
}

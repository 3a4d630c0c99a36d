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

/// The files and directories of a module, and which of the others each names by `crate::<module>::` or by
/// `super::`; `mod` is the module's own file, which names whatever it declares.
fn files_of(module: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let prefix = format!("{module}/");
    let all = sources();
    let below: Vec<(&Source, &str)> = all
        .iter()
        .filter_map(|source| Some((source, source.path.strip_prefix(&prefix)?)))
        .collect();
    let names: BTreeSet<String> = below.iter().map(|(_, path)| module_of(path)).collect();
    for (source, path) in &below {
        let depth = path.matches('/').count() - usize::from(path.ends_with("/mod.rs"));
        let supers = "super::".repeat(depth + 1);
        let found = files.entry(module_of(path)).or_default();
        for beginning in [format!("crate::{module}::"), supers] {
            found.extend(named_after(&source.code, &beginning));
        }
    }
    for found in files.values_mut() {
        // What is no file is defined in the module's own, or exported by it.
        let ours = found.iter().map(|name| if names.contains(name) { name } else { "mod" });
        *found = ours.map(str::to_owned).collect();
    }
    if files.contains_key("mod") {
        let others = names.iter().filter(|name| *name != "mod").cloned();
        files.insert("mod".to_owned(), others.collect());
    }
    files
}

/// The names right after `beginning`, where no other path goes on with it.
fn named_after(code: &str, beginning: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(beginning) {
        if code[..at].ends_with(':') {
            continue;
        }
        let rest = &code[at + beginning.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_members(group)),
            None => found.push(module_of(rest)),
        }
    }
    found.retain(|name| !name.is_empty() && name != "super");
    found
}

/// What is left when everything is taken away, again and again, that names nothing of the rest.
fn circle(mut files: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    loop {
        let names: BTreeSet<String> = files.keys().cloned().collect();
        let before = files.len();
        files.retain(|name, found| found.iter().any(|it| it != name && names.contains(it)));
        if files.len() == before {
            return names.into_iter().collect();
        }
    }
}

#[test]
fn the_files_of_a_module_form_no_circle() {
    for module in ["sandbox", "source"] {
        assert_eq!(circle(files_of(module)), Vec::<String>::new(), "src/{module}");
    }
}

#[test]
fn circles_are_seen() {
    let named =
        named_after("use super::{a, b::C};\nuse super::d::E;\nsuper::super::f()", "super::");
    assert_eq!(named, ["a", "b", "d"]);
    assert_eq!(named_after("use super::super::g::H;", "super::super::"), ["g"]);
    let of = |pairs: &[(&str, &[&str])]| {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        circle(pairs.iter().map(|(name, names)| ((*name).to_owned(), set(names))).collect())
    };
    assert_eq!(of(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]), ["a", "b", "c"]);
    assert_eq!(of(&[("a", &["b", "a"]), ("b", &["c"]), ("c", &[])]), Vec::<String>::new());
}

//! docs/MODELS.md: each file of the guide is written and each of its commands is run, in the order of the page,
//! in one folder.
//!
//! A fenced block `toml NAME` or `json NAME` is a file. A `console` block has commands, which begin with
//! `$ seedbed`, each followed by its output. An output may end a line with `…`, or have a line `…`, where the
//! rest of the line, or any lines, are not compared. `SEEDBED_UPDATE_GUIDE=1` writes the outputs into the guide.

mod common;

use std::fs;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use common::{Folder, seedbed};
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// Where an output is not compared.
const ANYTHING: &str = "…";

fn guide() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/MODELS.md")
}

/// A fenced block.
struct Block {
    language: String,
    /// The second word after the fence: the name of the file.
    file: Option<String>,
    contents: String,
    /// The place of the contents in the page.
    range: Range<usize>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = vec![];
    let mut open: Option<Block> = None;
    for (event, range) in Parser::new(page).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let mut words = info.split_whitespace().map(str::to_owned);
                let (language, file) = (words.next().unwrap_or_default(), words.next());
                // The contents follow the line of the fence.
                let start = range.start + page[range.clone()].find('\n').map_or(range.len(), |end| end + 1);
                open = Some(Block { language, file, contents: String::new(), range: start..start });
            }
            Event::Text(text) => {
                if let Some(block) = &mut open {
                    block.contents += &text;
                    block.range.end = range.end;
                }
            }
            Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
            _ => {}
        }
    }
    blocks
}

/// A command and the lines that the guide shows after it.
struct Command<'a> {
    line: &'a str,
    output: Vec<&'a str>,
}

fn commands(console: &str) -> Vec<Command<'_>> {
    let mut commands: Vec<Command> = vec![];
    for line in console.lines() {
        match (line.starts_with("$ "), commands.last_mut()) {
            (true, _) => commands.push(Command { line, output: vec![] }),
            (false, Some(command)) => command.output.push(line),
            (false, None) => panic!("no command stands before {line:?}"),
        }
    }
    commands
}

/// The words of a command. Quotes hold words together, as in a shell.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (vec![], None::<String>, None);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "a quote is open: {line}");
    words.extend(word);
    words
}

/// What a command prints, as a terminal would show it: both streams in their order.
fn run(line: &str, folder: &Path) -> Vec<String> {
    let words = words(line);
    assert_eq!(words[..2], ["$", "seedbed"], "{line}");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = seedbed();
    // A backend that the system lacks: the machine that runs the guide has no adapter.
    command.env("WGPU_BACKEND", if cfg!(windows) { "metal" } else { "dx12" });
    command.current_dir(folder).args(&words[2..]).stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    // The command holds the writers, and the reader ends when all of them are closed.
    drop(command);
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    let code = child.wait().unwrap().code();
    assert!(code.is_some_and(|code| code < 3), "{line}: {code:?}: {output}");
    let lines = output.lines().map(|line| line.trim_end().to_owned());
    lines.filter(|line| !line.starts_with("note: there is no adapter")).collect()
}

fn matches(shown: &[&str], printed: &[String]) -> bool {
    match (shown, printed) {
        ([], printed) => printed.is_empty(),
        ([ANYTHING, shown @ ..], printed) => (0..=printed.len()).any(|n| matches(shown, &printed[n..])),
        ([line, shown @ ..], [first, printed @ ..]) => {
            let same = match line.strip_suffix(ANYTHING) {
                Some(beginning) => first.starts_with(beginning),
                None => first == line,
            };
            same && matches(shown, printed)
        }
        (_, []) => false,
    }
}

/// A line as the guide shows it: without the time that a run took.
fn shown(line: &str) -> String {
    const BEFORE: &str = "bytes of data in ";
    match line.find(BEFORE) {
        Some(at) => format!("{}{ANYTHING}", &line[..at + BEFORE.len()]),
        None => line.to_owned(),
    }
}

#[test]
fn every_example_of_the_guide_runs() {
    let page = fs::read_to_string(guide()).unwrap();
    let folder = Folder::new();
    let update = std::env::var_os("SEEDBED_UPDATE_GUIDE").is_some();
    let (mut updates, mut mistakes) = (vec![], vec![]);
    for block in blocks(&page) {
        match (block.language.as_str(), &block.file) {
            ("toml" | "json", Some(name)) => {
                let path = folder.path(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, &block.contents).unwrap();
            }
            ("console", None) => {
                let mut text = String::new();
                for command in commands(&block.contents) {
                    let printed = run(command.line, &folder.path(""));
                    text += &format!("{}\n", command.line);
                    if matches(&command.output, &printed) {
                        text.extend(command.output.iter().map(|line| format!("{line}\n")));
                    } else {
                        text.extend(printed.iter().map(|line| format!("{}\n", shown(line))));
                        mistakes.push(format!(
                            "{}\nthe guide shows:\n{}\nthe program prints:\n{}\n",
                            command.line,
                            command.output.join("\n"),
                            printed.join("\n")
                        ));
                    }
                }
                updates.push((block.range, text));
            }
            ("python" | "text", None) => {}
            (language, file) => panic!("a block of {language:?} with the file {file:?} is no example"),
        }
    }
    assert!(updates.len() > 15, "only {} blocks have commands", updates.len());
    if update {
        let mut page = page;
        for (range, text) in updates.into_iter().rev() {
            page.replace_range(range, &text);
        }
        fs::write(guide(), page).unwrap();
        return;
    }
    assert!(
        mistakes.is_empty(),
        "SEEDBED_UPDATE_GUIDE=1 writes what the program prints into the guide.\n\n{}",
        mistakes.join("\n")
    );
}

/// Each key of a rules file is in an example.
#[test]
fn every_key_has_an_example() {
    let page = fs::read_to_string(guide()).unwrap();
    let examples: Vec<toml::Table> = blocks(&page)
        .iter()
        .filter(|block| block.language == "toml")
        .map(|block| toml::from_str(&block.contents).unwrap_or_else(|e| panic!("{e}\n{}", block.contents)))
        .collect();
    let rules: Vec<_> = examples
        .iter()
        .filter_map(|table| table.get("rule")?.as_array())
        .flatten()
        .filter_map(|rule| rule.as_table())
        .collect();
    for key in [
        "match", "rank", "min_rank", "max_rank", "init", "copy", "grow", "tie", "refuse", "skip", "of",
        "layout", "groups", "fans", "split", "unstack", "names", "rows",
    ] {
        assert!(rules.iter().any(|rule| rule.contains_key(key)), "no example has the key {key:?}");
    }
    for key in ["preset", "names", "let", "rule"] {
        assert!(examples.iter().any(|table| table.contains_key(key)), "no example has the key {key:?}");
    }
}

#[test]
fn outputs_may_leave_out_what_changes() {
    let printed = ["a 1", "b", "c"].map(str::to_owned);
    for shown in
        [&["a 1", "b", "c"][..], &["a …", "b", "c"], &["…", "c"], &["a 1", "…"], &["…", "b", "c", "…"]]
    {
        assert!(matches(shown, &printed), "{shown:?}");
    }
    for shown in [&[][..], &["a 1", "b"], &["b …", "…"], &["…", "b"], &["a 1", "b", "c", "d"]] {
        assert!(!matches(shown, &printed), "{shown:?}");
    }
    assert_eq!(
        words("$ seedbed fill \"normal(std = 1)\" -o ''"),
        ["$", "seedbed", "fill", "normal(std = 1)", "-o", ""]
    );
}

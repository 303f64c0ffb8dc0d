//! The links of the pages that rustdoc shows: they work on docs.rs and on crates.io, where there is no
//! repository around a page, and each names a file or an item that exists.

use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag};

const TREES: [&str; 3] = [
    "https://github.com/seedbed-gpu/seedbed/blob/main/",
    "https://github.com/seedbed-gpu/seedbed/tree/main/",
    "https://raw.githubusercontent.com/seedbed-gpu/seedbed/main/",
];
const DOCS: &str = "https://docs.rs/seedbed/latest/seedbed/";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and the guides.
fn pages() -> Vec<PathBuf> {
    let guides = std::fs::read_dir(root().join("docs")).expect("the guides");
    let guides = guides.map(|entry| entry.expect("a file").path());
    let guides = guides.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    std::iter::once(root().join("README.md")).chain(guides).collect()
}

/// The texts of all files below a folder.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let text = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => std::fs::read_to_string(&path).expect("a source file"),
    };
    entries.map(text).collect()
}

/// The mistake in a link, if it has one.
fn mistake(link: &str, sources: &str) -> Option<String> {
    if let Some(path) = TREES.iter().find_map(|tree| link.strip_prefix(tree)) {
        let path = path.split('#').next().unwrap_or(path);
        return (!root().join(path).exists()).then(|| format!("there is no {path}"));
    }
    let Some(item) = link.strip_prefix(DOCS) else {
        let elsewhere = link.starts_with("https://") || link.starts_with('#');
        return (!elsewhere).then(|| "the link is relative to the repository".into());
    };
    let (page, anchor) = item.split_once('#').unwrap_or((item, ""));
    let last = page.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let missing = |declarations: &[String]| {
        let found = declarations.iter().any(|declaration| sources.contains(declaration));
        (!found).then(|| format!("there is no `{}`", declarations[0]))
    };
    let is_alias =
        |name: &str| ["<'a> = ", " = "].iter().any(|end| sources.contains(&format!("pub type {name}{end}")));
    let item = match last.strip_suffix(".html").unwrap_or(last).split_once('.') {
        // In the crate's root such a name is an alias, whose page is `type.NAME.html`.
        Some(("struct", name)) if !page.contains('/') && is_alias(name) => {
            Some(format!("{name} is an alias there"))
        }
        Some((kind, name)) => missing(&[format!("pub {kind} {name}")]),
        None if last == "index.html" || !last.ends_with(".html") => {
            let module = page.trim_end_matches("index.html").trim_end_matches('/');
            missing(&[format!("pub mod {module};")])
        }
        None => Some("the link names no item".into()),
    };
    let part = match anchor.split_once('.') {
        Some(("method", name)) => {
            missing(&["fn", "const fn", "async fn"].map(|kind| format!("pub {kind} {name}")))
        }
        Some(("variant", name)) => missing(&[format!("    {name} {{"), format!("    {name},")]),
        Some(("associatedconstant", name)) => missing(&[format!("pub const {name}: ")]),
        Some(_) => Some(format!("the anchor {anchor:?} is of an unknown kind")),
        None => None,
    };
    item.or(part)
}

#[test]
fn links_work_wherever_a_page_is_shown() {
    let sources = sources(&root().join("src"));
    let mut links = 0;
    let mut mistakes = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event {
                links += 1;
                let mistake = mistake(&dest_url, &sources);
                mistakes.extend(mistake.map(|mistake| format!("{}: {dest_url}: {mistake}", page.display())));
            }
        }
    }
    assert!(links > 40, "only {links} links were found");
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn a_wrong_link_is_a_mistake() {
    let sources = sources(&root().join("src"));
    for right in [
        "https://wgpu.rs",
        "#a-heading",
        "https://github.com/seedbed-gpu/seedbed/blob/main/README.md#embed-it",
        "https://docs.rs/seedbed/latest/seedbed/type.FillRecorder.html",
        "https://docs.rs/seedbed/latest/seedbed/recorder/struct.FillRecorder.html#method.fill_all",
        "https://docs.rs/seedbed/latest/seedbed/enum.Error.html#variant.Refused",
        "https://docs.rs/seedbed/latest/seedbed/program/index.html",
    ] {
        assert_eq!(mistake(right, &sources), None, "{right}");
    }
    for wrong in [
        "docs/CONTRACT.md",
        "../README.md",
        "https://github.com/seedbed-gpu/seedbed/blob/main/docs/NO_SUCH.md",
        "https://docs.rs/seedbed/latest/seedbed/struct.NoSuch.html",
        "https://docs.rs/seedbed/latest/seedbed/struct.FillRecorder.html",
        "https://docs.rs/seedbed/latest/seedbed/recorder/struct.FillRecorder.html#method.no_such",
        "https://docs.rs/seedbed/latest/seedbed/enum.Error.html#variant.NoSuch",
        "https://docs.rs/seedbed/latest/seedbed/no_such/index.html",
    ] {
        assert!(mistake(wrong, &sources).is_some(), "{wrong}");
    }
}

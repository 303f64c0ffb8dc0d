//! The layers: each layer of `src/` imports only from lower layers, and no files import each other in a
//! circle.
//!
//! The test reads the paths of all `use` items, types and expressions outside test modules. A re-export
//! counts as an import; a declaration `mod x;` does not. Nothing imports through `lib.rs`, which re-exports
//! names of all layers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use quote::ToTokens;
use syn::visit::{self, Visit};

/// The layers, lowest first. Modules of one layer do not import each other.
const LAYERS: &[&[&str]] = &[
    &["math"],
    &["dtype"],
    &["error"],
    &["layout"],
    &["key"],
    &["init"],
    &["kernel"],
    &["program"],
    &["recorder"],
    &["gpu"],
    &["host"],
    &["self_test"],
    &["wgpu_recorder"],
    &["guide", "recipes"],
];

/// A module: its path below the crate, such as `["layout", "runs"]`.
type Module = Vec<String>;

struct File {
    path: PathBuf,
    syntax: syn::File,
}

/// All modules of the crate that are compiled outside tests.
fn modules() -> BTreeMap<Module, File> {
    let mut modules = BTreeMap::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    read(&src.join("lib.rs"), &src, Vec::new(), &mut modules);
    modules
}

fn read(path: &Path, folder: &Path, module: Module, modules: &mut BTreeMap<Module, File>) {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for item in &syntax.items {
        if let syn::Item::Mod(declaration) = item
            && declaration.content.is_none()
            && !is_test(&declaration.attrs)
        {
            let name = declaration.ident.to_string();
            let inner = [module.clone(), vec![name.clone()]].concat();
            read(&folder.join(format!("{name}.rs")), &folder.join(&name), inner, modules);
        }
    }
    modules.insert(module, File { path: path.to_owned(), syntax });
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.meta.to_token_stream().to_string().replace(' ', "");
        text == "test" || text.starts_with("cfg(test") || text.starts_with("cfg(all(test")
    })
}

/// The paths that a file names.
struct Paths<'a> {
    module: &'a Module,
    found: BTreeSet<Vec<String>>,
}

impl Paths<'_> {
    /// The path from the crate's root, for one that begins with `crate`, `self` or `super`.
    fn absolute(&self, segments: &[String]) -> Option<Vec<String>> {
        let (first, rest) = segments.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([self.module, rest].concat()),
            "super" => {
                let mut base = self.module.clone();
                base.pop();
                let further = rest.iter().take_while(|segment| *segment == "super").count();
                base.truncate(base.len() - further);
                Some([&base, &rest[further..]].concat())
            }
            _ => None,
        }
    }

    fn add(&mut self, segments: &[String]) {
        self.found.extend(self.absolute(segments));
    }

    fn add_tree(&mut self, prefix: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            // `{self}` names the prefix.
            syn::UseTree::Name(name) if name.ident == "self" => self.add(prefix),
            syn::UseTree::Rename(name) if name.ident == "self" => self.add(prefix),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.add(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.add(prefix),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(prefix, tree)),
        }
    }
}

impl<'a> Visit<'a> for Paths<'_> {
    fn visit_item(&mut self, item: &'a syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    // `pub(super)` imports nothing.
    fn visit_vis_restricted(&mut self, _: &'a syn::VisRestricted) {}

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.add(&path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>());
        visit::visit_path(self, path);
    }
}

/// The imports: pairs of a module and a module that it imports. `lib.rs` is the module without a name.
fn imports() -> BTreeSet<(Module, Module)> {
    let modules = modules();
    let paths_of = |module: &Module| {
        let mut paths = Paths { module, found: BTreeSet::new() };
        paths.visit_file(&modules[module].syntax);
        paths.found
    };
    let mut imports = BTreeSet::new();
    for module in modules.keys().filter(|module| !module.is_empty()) {
        for path in paths_of(module) {
            // A name that is in no module below the crate is one that lib.rs re-exports.
            let owner =
                (0..=path.len()).rev().map(|len| path[..len].to_vec()).find(|p| modules.contains_key(p));
            if let Some(owner) = owner
                && owner != *module
            {
                imports.insert((module.clone(), owner));
            }
        }
    }
    assert!(imports.len() > 100, "the imports were not found: {}", imports.len());
    assert!(modules.values().all(|file| file.path.exists()));
    imports
}

fn layer(module: &Module) -> usize {
    let Some(first) = module.first() else { return LAYERS.len() };
    let layer = LAYERS.iter().position(|layer| layer.contains(&first.as_str()));
    layer.unwrap_or_else(|| panic!("{first} is in no layer: add it to LAYERS"))
}

#[test]
fn imports_run_downwards() {
    let climbing: Vec<_> = imports()
        .into_iter()
        .filter(|(from, to)| {
            let is_beside = layer(from) == layer(to) && from.first() != to.first();
            layer(to) > layer(from) || is_beside
        })
        .map(|(from, to)| {
            let to = if to.is_empty() { "a name by lib.rs".into() } else { to.join("::") };
            format!("{} imports {to}", from.join("::"))
        })
        .collect();
    assert!(climbing.is_empty(), "imports that climb:\n{}", climbing.join("\n"));
}

#[test]
fn no_files_import_each_other() {
    let imports: Vec<_> = imports().into_iter().map(|(from, to)| (from.join("::"), to.join("::"))).collect();
    let graph =
        DiGraphMap::<&str, ()>::from_edges(imports.iter().map(|(from, to)| (from.as_str(), to.as_str())));
    let circles: Vec<_> = tarjan_scc(&graph).into_iter().filter(|circle| circle.len() > 1).collect();
    assert!(circles.is_empty(), "files that import each other: {circles:?}");
}

use super::*;

#[test]
fn presets_compile() {
    for preset in PRESETS {
        let rules = Rules::preset(preset.name).unwrap_or_else(|error| panic!("{error}"));
        assert!(!rules.rules.is_empty(), "{}", preset.name);
        assert_eq!(rules.members.len(), rules.set.len(), "{}", preset.name);
    }
    let error = Rules::preset("gpt3").unwrap_err().to_string();
    assert!(error.contains("there is no preset \"gpt3\"; there are default, pytorch, "), "{error}");
}

#[test]
fn own_rules_come_before_those_of_their_preset() {
    let text = "preset = 'gpt2'\n[let]\nstd = 0.5\n[[rule]]\nmatch = '*'\ninit = 'ones'";
    let rules = Rules::parse(text, "my.toml").unwrap();
    assert_eq!(rules.to_string(), "my.toml, gpt2");
    assert!(matches!(&rules.lets["std"], Let::Expression(std) if std.to_string() == "0.5"));
    assert_eq!(rules.rules[0].place(&rules.origins), "my.toml, rule 1 (line 4)");
    assert_eq!(rules.rules[1].place(&rules.origins)[..12], *"preset gpt2,");
    assert_eq!(rules.digest().len(), 64);
    assert_ne!(rules.digest(), Rules::preset("gpt2").unwrap().digest());
}

#[test]
fn mistakes_have_a_place() {
    for (text, message) in [
        ("", "r.toml: there is no [[rule]]"),
        ("[[rule]\n", "line 1 column 8"),
        (
            "[[rule]]\nmatch = '*'\n",
            "rule 1: line 2 column 9: missing field `init` (or `copy`, `tie`, `refuse`, `skip`)",
        ),
        (
            "[[rule]]\nmatch = '*'\ninit = 'ones'\nrefuse = 'no'",
            "rule 1: line 2 column 9: init, copy, tie, refuse and skip exclude",
        ),
        ("[[rule]]\nmatch = '*'\nskip = false", "rule 1: line 3 column 8: skip is true or absent"),
        ("[[rule]]\nmatch = '*'\ncopy = false", "rule 1: line 3 column 8: copy is true, "),
        ("[[rule]]\nmatch = '*'\ninit = 'zeros'\nranks = 1", "line 4 column 1: unknown field `ranks`"),
        ("[[rules]]\n", "line 1 column 3: unknown field `rules`"),
        ("[[rule]]\nmatch = '*'\ninit = 'zeros'\nrank = -1", "line 4 column 8"),
        (
            "[[rule]]\nmatch = '*'\ninit = 'ones'\n[[rule]]\nmatch = '[a'\ninit = 'zeros'",
            "rule 2: line 5 column 9: error parsing glob \"[a\"",
        ),
        ("[[rule]]\nmatch = []\ninit = 'ones'", "match is an empty list"),
        ("[[rule]]\nmatch = 3\ninit = 'ones'", "a text, or a list of texts"),
        (
            "[[rule]]\nmatch = '*'\ninit = 'orthogonl'",
            "rule 1: line 3 column 8: \"orthogonl\" is not an initialiser",
        ),
        ("[[rule]]\nmatch = '*'\nrank = 1\nmin_rank = 1\ninit = 'zeros'", "rank excludes min_rank"),
        (
            "[[rule]]\nmatch = '*'\nmin_rank = 2\nmax_rank = 1\ninit = 'zeros'",
            "no rank is 2 or more and 1 or less",
        ),
        ("[[rule]]\nmatch = '*'\nof_rank = 1\ninit = 'zeros'", "of_rank needs `of`"),
        (
            "[[rule]]\nmatch = '*'\nskip = true\nsplit = {into = 2}",
            "line 4 column 9: split goes with init alone",
        ),
        ("[[rule]]\nmatch = '*'\nskip = true\nrows = {1 = 'zeros'}", "rows goes with init or copy"),
        ("[[rule]]\nmatch = '*'\ninit = 'ones'\ngrow = 'zeros'", "grow goes with copy"),
        ("[[rule]]\nmatch = '*'\ninit = 'ones'\nsplit = {axis = 0}", "split takes into or sizes"),
        ("[[rule]]\nmatch = '*'\ninit = 'ones'\nsplit = {into = 0}", "split into 1 to 65536 parts"),
        (
            "[[rule]]\nmatch = '*'\ninit = 'ones'\nsplit = {into = 2}\nunstack = 0",
            "split and unstack exclude",
        ),
        (
            "[[rule]]\nmatch = '*'\ninit = ['ones', 'zeros']\nsplit = {into = 3}",
            "there are 2 initialisers for 3 parts",
        ),
        ("[[rule]]\nmatch = '*'\ninit = ['ones', 'zeros']", "a list of initialisers goes with split"),
        (
            "[[rule]]\nmatch = '*'\ninit = 'ones'\nsplit = {into = 3}\nnames = ['a']",
            "there are 1 names for 3 parts",
        ),
        ("[[rule]]\nmatch = '*'\ninit = 'ones'\nunstack = 0\nnames = 'a'", "one text with <i> in it"),
        ("[[rule]]\nmatch = '*'\ninit = 'ones'\nnames = 'a'", "names goes with split or unstack"),
        (
            "[[rule]]\nmatch = '*'\ninit = 'normal(std=layers)'",
            "the variable \"layers\" is unknown; there are fan_in, fan_out, rank, d0, d1, …",
        ),
        (
            "[[rule]]\nmatch = '*.<layer>.*'\ninit = 'normal(std=1/layr)'",
            "the variable \"layr\" is unknown; there are layer, fan_in",
        ),
        ("[[rule]]\nmatch = ['h.<l>.*', 'x']\ninit = 'normal(std=l)'", "the variable \"l\" is unknown"),
        ("[[rule]]\nmatch = 'h.*'\ntie = 'h.<l>.x'", "\"h.<l>.x\" uses <l>, which \"h.*\" does not capture"),
        ("[[rule]]\nmatch = 'h.*'\ninit = 'ones'\nrows = {pad = 'zeros'}", "\"pad\" is no number of a row"),
        ("[[rule]]\nmatch = '*'\ninit = 'ones'\nfans = {}", "fans is empty"),
        ("[[rule]]\nmatch = '*'\ninit = 'ones'\nlayout = 'oi'", "unknown variant `oi`"),
        ("[let]\npi = 3\n[[rule]]\nmatch = '*'\ninit = 'ones'", "[let] pi: give another name"),
        (
            "[let]\na = '1 +'\n[[rule]]\nmatch = '*'\ninit = 'ones'",
            "line 2 column 5: [let] a: \"1 +\", column",
        ),
        ("[let]\na = '2*count(b)'\n[[rule]]\nmatch = '*'\ninit = 'ones'", "a known function"),
        ("preset = 'gpt9'", "line 1 column 10: there is no preset \"gpt9\""),
    ] {
        let error = Rules::parse(text, "r.toml").unwrap_err().to_string();
        assert!(error.contains(message) && !error.contains('\n'), "{text}: {error}");
    }
}

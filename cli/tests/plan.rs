//! `seedbed plan`.

mod common;

use common::{Folder, manifest, model, run, succeed, text};
use serde_json::Value;

#[test]
fn the_plan_says_what_init_makes() {
    let gpt2 = model("gpt2.json");
    let rows: Value = serde_json::from_str(&succeed(&[&"plan", &gpt2, &"--json"])).unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 148);
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    let matrix = row("transformer.h.0.attn.c_attn.weight");
    assert_eq!(matrix["init"], "xavier_normal(gain=1)");
    assert_eq!((&matrix["fan_in"], &matrix["fan_out"]), (&2304.0.into(), &768.0.into()));
    let std = (2.0 / (2304.0 + 768.0_f64)).sqrt();
    assert_eq!((&matrix["mean"], &matrix["std"]), (&0.0.into(), &std.into()));
    let bias = row("transformer.h.0.ln_1.bias");
    assert_eq!((&bias["init"], &bias["outcome"]), (&"constant(0)".into(), &"init".into()));
    assert_eq!((&bias["fan_in"], &bias["std"]), (&Value::Null, &0.0.into()));

    let table = succeed(&[&"plan", &gpt2]);
    assert_eq!(table.lines().count(), 149);
    let line = table.lines().find(|line| line.starts_with("transformer.h.0.attn.c_attn.weight ")).unwrap();
    assert!(line.contains("xavier_normal(gain=1)") && line.ends_with("0.02552"), "{line}");
}

/// The plan lists every parameter, those that can't be made with their reasons, and then fails as `init` does.
#[test]
fn what_can_not_be_made_is_in_the_plan() {
    let folder = Folder::new();
    let parameters = [
        ("fc.weight", &[2, 3][..]),
        ("ls1.gamma", &[8]),
        ("mixer.D", &[8]),
        ("old.weight", &[4, 4]),
        ("vector.weight", &[3]),
    ];
    let model = folder.write("m.json", manifest(&parameters));
    let rules = "[[rule]]\nmatch = 'old.*'\nskip = true\n[[rule]]\nmatch = 'ls1.*'\nrefuse = 'why'\n\
                 [[rule]]\nmatch = '*.weight'\ninit = 'xavier_uniform'\n";
    let rules = folder.write("r.toml", rules);
    let output = run(&[&"plan", &model, &"--rules", &rules, &"--json"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let outcomes: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["outcome"].as_str().unwrap(), row["rule"].as_u64(), row["error"].as_str()))
        .collect();
    let fans = "Fan in and fan out can not be computed";
    assert_eq!(
        outcomes[..4],
        [
            ("init", Some(3), None),
            ("error", Some(2), Some("why")),
            ("error", None, Some("no rule matches")),
            ("skip", Some(1), None),
        ]
    );
    assert!(outcomes[4].2.is_some_and(|error| error.contains(fans)), "{outcomes:?}");
    let error = text(&output.stderr);
    assert!(
        error.contains(
            "no initialiser is right for \"ls1.gamma\" [8]: why; a rule of yours decides (add one)"
        ),
        "{error}"
    );

    let output = run(&[&"plan", &model, &"--rules", &rules]);
    let table = text(&output.stdout);
    assert!(
        table.contains("skipped") && table.contains("no rule matches") && table.contains(fans),
        "{table}"
    );
    assert_eq!(folder.names(), ["m.json", "r.toml"]);
}

//! The tools on the host, briefly; `adapters.rs` runs them on adapters.

mod common;

use common::{growth_is_complete, measured, run, text};

#[test]
fn growth_has_every_size_and_what_launching_costs() {
    growth_is_complete(&measured("growth", "host", "100").unwrap()).unwrap();
    let printed = text(&run(&["growth", "--adapter", "host", "--elements", "4", "--json", "."]).stderr);
    assert!(printed.contains("not a regular file"), "{printed}");
}

#[test]
fn mistakes_measure_nothing() {
    for (arguments, message) in [
        (&["growth", "--adapter", "no such adapter", "--json", "g.json"][..], "no adapter matches"),
        (&["growth", "--adapter", "host", "--elements", "0"], "give another --elements"),
        (&["growth", "--adapter", "host", "--elements", "1099511627777"], "give another --elements"),
        (&["growth", "--adapter", "host", "--json", "/no/such/folder/g.json"], "can't create a file"),
        (&["growth", "--from", "/no/such/file.json"], "cannot read /no/such/file.json"),
        (&["growth", "--from", "g.json", "--adapter", "host"], "cannot be used with"),
        (&["shapes", "--adapter", "host"], "the host has no workgroups"),
        (&["shapes", "--elements", "100"], "give a multiple of 65536 as --elements"),
        (&["shapes", "--elements", "0"], "give a multiple of 65536 as --elements"),
        (&["shapes", "--growth"], "unexpected argument"),
        (&["baselines", "--rounds", "0"], "0 is not in 1.."),
        (&["baselines", "--burn-target", "t"], "required arguments were not provided"),
    ] {
        let output = run(arguments);
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains(message), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
    }
}

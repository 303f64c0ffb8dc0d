//! The remedies of errors that name an option or a command of the program `seedbed`.
//!
//! The texts of errors have the program's words. Another front end replaces these words by its own, as `python/src` does.

/// After a type of floats that is not made.
pub const OTHER_TYPE: &str = ": --dtype f32, f16 or bf16 writes such a parameter as one of them, and a rule with `copy = true` copies it";
/// After a type that is no type of weights.
pub const COPY_OR_SKIP: &str = "; `copy = true` copies the parameter, `skip = true` leaves it out";
/// After an initialiser that is unknown.
pub const INITIALISERS: &str = "`seedbed fill --help` lists them";
/// After a file of rules without rules.
pub const EXAMPLE: &str = "`seedbed rules` prints an example";
/// Before the place of a rule that is missing.
pub const OWN_RULES: &str = "give --rules a file with one";
/// Before the name of a parameter without data.
pub const DATA: &str = "give --from a file or folder that has";
/// Before "lists both".
pub const PLAN: &str = "`seedbed plan`";
/// The warning about the scale of a quantised weight.
pub const QUANTISED: &str =
    "is noise, but the scale of a quantised weight follows from the weight; `copy = true` keeps it";
/// The outcome of a rule to paste, for a parameter that a rule refuses.
pub const OUTCOME: &str = "copy = true         # or: skip = true, init = \"…\"";
/// The other outcomes of a rule to paste.
pub const OTHER_OUTCOMES: &str = "; or: copy = true, skip = true";

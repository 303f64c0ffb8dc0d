//! The remedies in the errors of the library, in Python's words.

use seedbed_model::remedy;

/// The program's words, and Python's.
const WORDS: [(&str, &str); 10] = [
    (remedy::OTHER_TYPE, "; fill one of them, and convert the values"),
    (remedy::COPY_OR_SKIP, "; a rule with `skip = true` leaves the parameter out"),
    (remedy::INITIALISERS, "seedbed.Init.signatures() lists them"),
    (
        remedy::EXAMPLE,
        "a rule has a `match` and an `init`, and `preset = \"pytorch\"` takes those of a preset",
    ),
    (remedy::OWN_RULES, "give rules= with one"),
    (remedy::DATA, "load the checkpoint that has"),
    (remedy::PLAN, "entries()"),
    (
        remedy::QUANTISED,
        "is noise, but the scale of a quantised weight follows from the weight; `skip = true` leaves it as it is",
    ),
    (remedy::OUTCOME, "skip = true         # or: init = \"…\""),
    (remedy::OTHER_OUTCOMES, "; or: skip = true"),
];

/// A text of the library without options and commands of the program.
pub(crate) fn of_python(text: &str) -> String {
    WORDS.iter().fold(text.to_owned(), |text, (program, python)| text.replace(program, python))
}

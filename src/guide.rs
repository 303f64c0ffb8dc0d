#![doc = include_str!("../docs/EMBEDDING.md")]

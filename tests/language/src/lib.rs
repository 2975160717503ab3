//! Nothing of its own: `tests/` compares the language with another implementation of CEL.

//! Facts and the words that follow from them.

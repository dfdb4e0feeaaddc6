use super::{item_lines, mask};

#[track_caller]
fn check_mask(text: &str, expected: &str) {
    assert_eq!(mask(text), expected, "masking {text}");
}

#[track_caller]
fn check_item(text: &str, expected: Option<usize>) {
    let masked = mask(text);
    let lines: Vec<&str> = masked.lines().collect();
    assert_eq!(item_lines(&lines), expected, "measuring\n{text}");
}

#[test]
fn comments_are_blanked() {
    check_mask("a // b\nc", "a     \nc");
    check_mask("a /* b /* c */\n d */ e", "a             \n      e");
}

#[test]
fn strings_are_blanked() {
    check_mask(r#"f("a\"b")"#, "f(      )");
    check_mask("f(r#\"a\"b\"#, 1)", "f(        , 1)");
    check_mask("f(br\"{\", \"\n}\")", "f(     ,  \n  )");
}

#[test]
fn character_literals_are_blanked_and_lifetimes_stay() {
    check_mask("['{', '\\'', b'\"']", "[   ,     , b   ]");
    check_mask("fn f<'a, 'b>(x: &'a str)", "fn f<'a, 'b>(x: &'a str)");
}

#[test]
fn raw_identifiers_stay() {
    check_mask("fn r#match(r#type: u8) {}", "fn r#match(r#type: u8) {}");
}

#[test]
fn unclosed_literals_reach_the_end() {
    check_mask("a \"b", "a   ");
    check_mask("a r#\"b\"", "a      ");
    check_mask("a /* b", "a     ");
    check_mask("a '\\", "a   ");
}

#[test]
fn items_end_where_their_brackets_are_closed() {
    check_item("fn f() {}\nfn g() {}\n", Some(1));
    check_item("    fn f() {\n        if a {\n        }\n    }\n}\n", Some(4));
    check_item("fn f<T>(\n    t: T,\n) -> u8\nwhere\n    T: U,\n{\n    1\n}\n", Some(8));
}

#[test]
fn braces_in_a_signature_end_nothing() {
    check_item("fn f(A { a }: A) -> [u8; { N }] {\n    a\n}\n", Some(3));
}

#[test]
fn a_brace_in_a_literal_ends_nothing() {
    check_item("fn f() {\n    g(\"{\n}\n\");\n}\n", Some(5));
}

#[test]
fn items_without_a_body_have_no_length() {
    check_item("fn f();\nfn g() {\n}\n", None);
    check_item("fn f(\n    a: u8,\n) -> u8;\nfn g() {\n}\n", None);
    check_item("mod tests;\n", None);
}

//! `split` and `aggregate`.

use serde_json::{Value, json};
use waystation_core::failure::ErrorKind;

use crate::workbench::once;

#[tokio::test]
async fn texts_objects_and_lists_become_lists_for_children() {
    let params = json!({
        "text": "a\n\n b \nc", "o": { "x": { "p": 1, "q": 2 } }, "list": [1, 2, 3], "n": 7,
    });
    for (settings, expected) in [
        (json!({ "from": "text" }), json!({ "items": ["a", "b", "c"] })),
        (
            json!({ "from": "o.x", "output": "pairs" }),
            json!({ "pairs": [{ "key": "p", "value": 1 }, { "key": "q", "value": 2 }] }),
        ),
        (json!({ "from": "list", "batch": 2 }), json!({ "items": [[1, 2], [3]] })),
    ] {
        assert_eq!(once("split", settings, params.clone()).await.expect("split"), expected);
    }
    let many: Vec<u32> = (0..=10_000).collect();
    for (params, words, kind) in [
        (json!({}), "param `n` is absent", ErrorKind::MissingParam),
        (params, "must be a text, a list or an object, not a number", ErrorKind::InvalidParam),
        (json!({ "n": many }), "gives 10001 items, more than", ErrorKind::InvalidParam),
    ] {
        let failure = once("split", json!({ "from": "n" }), params).await.expect_err(words);
        assert!(failure.message.contains(words), "{failure}");
        assert_eq!(failure.kind, kind);
    }
}

async fn check(settings: Value, expected: Value) {
    let params = json!({
        "stars": [3, null, 4, 3], "names": ["b", "a", "a", "c"],
        "rows": [
            { "kind": "x", "price": 1.5, "tags": ["p"] },
            { "kind": "y", "price": 2 },
            { "kind": "x", "price": null, "tags": ["q", "p"] },
        ],
    });
    let given = once("aggregate", settings.clone(), params).await;
    assert_eq!(given.unwrap_or_else(|failure| panic!("{settings}: {failure}")), expected);
}

#[tokio::test]
async fn what_children_gave_is_summed_up() {
    check(
        json!({ "from": "stars", "give": {
            "n": "count", "sum": "sum", "least": "min", "most": "max", "all": "collect",
            "kinds": "distinct", "first": "first", "last": "last", "mean": "mean",
        } }),
        json!({
            "n": 3, "sum": 10, "least": 3, "most": 4, "all": [3, 4, 3], "kinds": [3, 4],
            "first": 3, "last": 3, "mean": 10.0 / 3.0,
        }),
    )
    .await;
    check(
        json!({ "from": "rows", "give": {
            "total": { "do": "sum", "of": "price" }, "tags": { "do": "concat", "of": "tags" },
            "kinds": { "do": "concat", "of": "kind", "separator": ", " },
            "none": { "do": "max", "of": "absent" },
        } }),
        json!({ "total": 3.5, "tags": ["p", "q", "p"], "kinds": "x, y, x", "none": null }),
    )
    .await;
}

#[tokio::test]
async fn groups_come_in_the_order_of_their_first_items() {
    check(
        json!({ "from": "rows", "group_by": "kind", "give": { "n": "count" } }),
        json!({ "groups": [{ "key": "x", "n": 2 }, { "key": "y", "n": 1 }] }),
    )
    .await;
    check(
        json!({
            "from": { "stars": "stars", "name": "names" }, "group_by": "name", "output": "by_name",
            "give": { "sum": { "do": "sum", "of": "stars" } },
        }),
        json!({ "by_name": [
            { "key": "b", "sum": 3 }, { "key": "a", "sum": 4 }, { "key": "c", "sum": 3 },
        ] }),
    )
    .await;
}

#[tokio::test]
async fn lists_that_cannot_be_summed_up_are_told_of() {
    let params = json!({ "names": ["a", 1], "short": [1], "o": {} });
    for (settings, words) in [
        (json!({ "from": "absent", "give": { "n": "count" } }), "param `absent` is absent"),
        (json!({ "from": "o", "give": { "n": "count" } }), "`o` must be a list, not an object"),
        (json!({ "from": "names", "give": { "n": "sum" } }), "each item for `n` must be a number"),
        (json!({ "from": "names", "give": { "n": "min" } }), "all numbers or all texts"),
        (
            json!({ "from": { "a": "names", "b": "short" }, "give": { "n": "count" } }),
            "param `short` has 1 items, the others have 2",
        ),
    ] {
        let failure = once("aggregate", settings, params.clone()).await.expect_err(words);
        assert!(failure.message.contains(words), "{failure}");
    }
}

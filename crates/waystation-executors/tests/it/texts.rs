//! `text.chunk` and `language.detect`.

use serde_json::{Value, json};
use waystation_core::failure::ErrorKind;

use crate::workbench::once;

const TEXT: &str = "Über den Dächern.\n\nThe first paragraph has two sentences. This is the \
                    second.\n\nA last one, with emoji 🛰 and a verylongwordthatdoesnotfitanywhere.";

async fn chunks(settings: Value) -> Vec<Value> {
    let given = once("text.chunk", settings, json!({ "text": TEXT })).await.expect("chunks");
    given["chunks"].as_array().expect("a list").clone()
}

/// Every chunk is what stands at its place, and they come in order with nothing but white space
/// left out.
fn check_places(chunks: &[Value]) {
    let letters: Vec<char> = TEXT.chars().collect();
    let mut end_before = 0;
    for (index, chunk) in chunks.iter().enumerate() {
        let at = |name: &str| chunk[name].as_u64().expect("a number") as usize;
        let (start, end) = (at("start"), at("end"));
        assert_eq!(at("index"), index);
        assert_eq!(letters[start..end].iter().collect::<String>(), chunk["text"]);
        let between = letters.get(end_before..start).unwrap_or_default();
        assert!(between.iter().all(|letter| letter.is_whitespace()), "{chunk}");
        end_before = end;
    }
    assert_eq!(end_before, letters.len());
}

#[tokio::test]
async fn texts_are_cut_where_it_means_least_and_chunks_say_where_they_are() {
    let chunks_of_60 = chunks(json!({ "size": 60 })).await;
    check_places(&chunks_of_60);
    let texts: Vec<_> = chunks_of_60.iter().map(|chunk| &chunk["text"]).collect();
    assert_eq!(texts[0], "Über den Dächern.");
    assert_eq!(texts[1], "The first paragraph has two sentences. This is the second.");
    for (unit, size) in [("characters", 20), ("words", 4)] {
        let some = chunks(json!({ "size": size, "by": unit })).await;
        check_places(&some);
        for chunk in &some {
            let text = chunk["text"].as_str().expect("a text");
            let length = match unit {
                "words" => text.split_whitespace().count(),
                _ => text.chars().count(),
            };
            assert!(length <= size, "{chunk}");
        }
    }
}

#[tokio::test]
async fn chunks_overlap_where_they_shall() {
    let chunks = chunks(json!({ "size": 8, "overlap": 3, "by": "words" })).await;
    check_places(&chunks);
    let overlaps = chunks.windows(2).any(|two| two[1]["start"].as_u64() < two[0]["end"].as_u64());
    assert!(overlaps, "{chunks:?}");
}

#[cfg(feature = "tokens")]
#[tokio::test]
async fn chunks_are_counted_in_tokens_without_asking_anybody() {
    for encoding in ["o200k_base", "cl100k_base"] {
        let chunks = chunks(json!({ "size": 8, "by": "tokens", "encoding": encoding })).await;
        check_places(&chunks);
        assert!(chunks.len() > 4, "{chunks:?}");
    }
}

#[tokio::test]
async fn texts_that_cannot_be_cut_are_told_of() {
    for (settings, params, words, kind) in [
        (json!({}), json!({}), "param `text` is absent", ErrorKind::MissingParam),
        (
            json!({}),
            json!({ "text": [1] }),
            "must be a text, not an array",
            ErrorKind::InvalidParam,
        ),
        (
            json!({ "size": 5, "max_chunks": 3 }),
            json!({ "text": TEXT }),
            "gives more than 3 chunks",
            ErrorKind::InvalidParam,
        ),
    ] {
        let failure = once("text.chunk", settings, params).await.expect_err(words);
        assert!(failure.message.contains(words), "{failure}");
        assert_eq!(failure.kind, kind);
    }
    let empty = once("text.chunk", json!({}), json!({ "text": " \n" })).await.expect("nothing");
    assert_eq!(empty, json!({ "chunks": [] }));
}

#[tokio::test]
async fn languages_are_told_by_their_codes() {
    let english = "The quick brown fox jumps over the lazy dog while everybody is watching it.";
    let german = "Der schnelle braune Fuchs springt über den faulen Hund, und alle sehen ihm zu.";
    for (text, code) in [(english, "eng"), (german, "deu"), ("Быстрая лисица", "rus")]
    {
        let settings = json!({ "among": ["deu", "eng", "rus"] });
        let given = once("language.detect", settings, json!({ "text": text })).await.expect("told");
        assert_eq!(given["language"], code);
        assert!(given["language_confidence"].as_f64().expect("a number") > 0.5, "{given}");
    }
    let given = once("language.detect", json!({}), json!({ "text": german.repeat(3) })).await;
    let given = given.expect("told");
    assert_eq!((&given["language"], &given["language_reliable"]), (&json!("deu"), &json!(true)));
    let nothing = once("language.detect", json!({ "output": "l" }), json!({ "text": "123 !?" }));
    let nothing = nothing.await.expect("told");
    assert_eq!(nothing, json!({ "l": "und", "l_confidence": 0.0, "l_reliable": false }));
}

use super::*;

/// The moment of the vectors that have one.
const THEN: i64 = 1_614_265_330;

fn signature(form: Form, secrets: &[&str]) -> Signature {
    let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
    Signature::new(&secrets, form, None, None).expect("good settings")
}

fn verify(
    signature: &Signature,
    headers: &[(&str, &str)],
    body: &str,
    seconds_later: i64,
) -> Result<(), Refusal> {
    let at = Timestamp((THEN + seconds_later) * 1_000);
    signature.verify(&Call { headers, body: body.as_bytes(), at })
}

#[test]
fn vector_of_github_is_good_in_each_writing() {
    let secret = "It's a Secret to Everybody";
    let hexadecimal = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let base64 = "dXEH6g6yUJ/CESIczphLijdXC211hsIsRvQ3nIsEPhc=";
    let signature = signature(Form::Body, &["another", secret]);
    for value in [&format!("sha256={hexadecimal}"), hexadecimal, base64] {
        let headers = [("x-hub-signature-256", value)];
        assert_eq!(verify(&signature, &headers, "Hello, World!", 0), Ok(()), "{value}");
        let refusal = verify(&signature, &headers, "Hello, world!", 0).expect_err("another body");
        assert!(refusal.to_string().contains("no signature in `X-Hub-Signature-256`"));
    }
    for value in ["", "sha256=", "sha256=7571", "sha1=757107ea", "%"] {
        let headers = [("X-Hub-Signature-256", value)];
        assert!(verify(&signature, &headers, "Hello, World!", 0).is_err(), "{value}");
    }
    assert!(verify(&signature, &[], "Hello, World!", 0).is_err());
}

#[test]
fn vector_of_standard_webhooks_is_good_for_five_minutes() {
    let signature = signature(Form::Standard, &["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
    let headers = |id, time| {
        [
            ("webhook-id", id),
            ("webhook-timestamp", time),
            ("webhook-signature", "v2,AA v1,AA== v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ]
    };
    let (id, time) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330");
    let check = |headers: &[(&str, &str)], later: i64, is_good: bool| {
        let answer = verify(&signature, headers, r#"{"test": 2432232314}"#, later);
        assert_eq!(answer.is_ok(), is_good, "{headers:?} {later}: {answer:?}");
    };
    for (later, is_good) in [(0, true), (300, true), (-300, true), (301, false), (-301, false)] {
        check(&headers(id, time), later, is_good);
    }
    check(&headers("msg_other", time), 0, false);
    check(&headers(id, "1614265331"), 0, false);
    check(&headers(id, time)[1..], 0, false);
}

#[test]
fn signatures_of_stripe_are_good_for_five_minutes() {
    let signature = signature(Form::Stripe, &["whsec_abc"]);
    let made = "114fed822e3136ad54310d3518dbd94521adc62f5bbea219592d93ab6ba4db31";
    let check = |value: &str, later: i64, is_good: bool| {
        let headers = [("stripe-signature", value)];
        let answer = verify(&signature, &headers, r#"{"id": "evt_1"}"#, later);
        assert_eq!(answer.is_ok(), is_good, "{value} {later}: {answer:?}");
    };
    check(&format!("t={THEN},v1=00,v1={made},v0=11"), 0, true);
    check(&format!("t={THEN},v1={made}"), 301, false);
    check(&format!("t={},v1={made}", THEN + 1), 0, false);
    check(&format!("t={THEN},v0={made}"), 0, false);
    check(&format!("v1={made}"), 0, false);
}

#[test]
fn settings_that_mean_nothing_are_told() {
    let seconds = Some(Seconds(60.0));
    let header = Some("X-Signature".to_owned());
    let text = |text: &str| vec![text.to_owned()];
    for (secret, form, header, tolerance, words) in [
        ("whsec_%", Form::Standard, None, None, "base64 must follow `whsec_`"),
        ("whsec_", Form::Standard, None, None, "base64 must follow `whsec_`"),
        ("abc", Form::Standard, header, None, "the header of `standard` is `webhook-signature`"),
        ("abc", Form::Body, None, seconds, "there is no time in signatures of `body`"),
    ] {
        let problems = Signature::new(&text(secret), form, header, tolerance).err();
        let problems = problems.unwrap_or_default().join("\n");
        assert!(problems.contains(words), "{problems}");
        assert!(!problems.contains(secret) || matches!(secret, "abc" | "whsec_"), "{problems}");
    }
}

use serde_json::json;

use super::super::eid::EidKind;
use super::*;

fn parsed(text: &str) -> Result<DataPointTask, Wrong> {
    let kinds = Kinds::default().with("mac", EidKind::Mac).with("ip4", EidKind::Ipv4);
    DataPointTask::parse(text.as_bytes(), &kinds)
}

#[test]
fn tasks_are_written_as_dp3_writes_them() {
    for (text, key) in [
        (
            concat!(
                r#"{"etype":"A","eid":1,"data_points":["#,
                r#"{"etype":"A","eid":1,"attr":"data1","src":"s","v":"x"}]}"#
            ),
            "A:1",
        ),
        (r#"{"etype":"B","eid":"b/ž","ttl_tokens":{"base":"2024-01-01T00:00:00Z"}}"#, "B:b/ž"),
        (r#"{"etype":"B","eid":"x","delete":true}"#, "B:x"),
        (r#"{"etype":"mac","eid":"aa:bb:cc:dd:ee:ff","delete":true}"#, "mac:aa:bb:cc:dd:ee:ff"),
        (r#"{"etype":"B","eid":"x","tags":[1,{"by":"me"}],"delete":true}"#, "B:x"),
        (
            concat!(
                r#"{"etype":"A","eid":1,"data_points":["#,
                r#"{"etype":"A","eid":1,"attr":"load","v":[0.5,3],"c":0.25,"#,
                r#""t1":"2024-01-01T00:00:00Z","t2":"2024-01-01T00:00:00.500000Z"}]}"#
            ),
            "A:1",
        ),
    ] {
        let task = parsed(text).expect(text);
        assert_eq!(serde_json::to_string(&task).expect("JSON"), text);
        assert_eq!(task.routing_key(), key);
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(serde_json::from_value::<DataPointTask>(value).expect(text), task);
    }
}

#[test]
fn what_may_be_left_out_or_told_otherwise_means_the_same() {
    let plain = concat!(
        r#"{"etype":"A","eid":1,"data_points":["#,
        r#"{"etype":"A","eid":1,"attr":"a","v":3,"t1":"2024-01-01T00:00:00Z"}]}"#
    );
    let told = r#"{"etype":"A","eid":1,"tags":[],"delete":false,"ttl_tokens":null,"data_points":[
        {"etype":"A","eid":1,"attr":"a","v":3,"c":1.0,"src":null,"t2":null,
         "t1":"2024-01-01T00:00:00"}]}"#;
    let task = parsed(told).expect("a task");
    assert_eq!(task, parsed(plain).expect("a task"));
    assert_eq!(serde_json::to_string(&task).expect("JSON"), plain);
    assert!((task.data_points[0].c - 1.0).abs() < f64::EPSILON);
    assert_eq!(task.data_points[0].until(), Moment::parse("2024-01-01T00:00:00Z"));
    let spelt = parsed(
        r#"{"etype":"mac","eid":"AA-BB-CC-DD-EE-FF","data_points":[
        {"etype":"mac","eid":"aa:bb:cc:dd:ee:ff","attr":"a","v":1}]}"#,
    );
    assert_eq!(spelt.expect("one entity").routing_key(), "mac:aa:bb:cc:dd:ee:ff");
}

#[test]
fn what_is_no_task_is_named_with_its_field_and_value() {
    let point = |more: &str| {
        format!(
            r#"{{"etype":"A","eid":1,"data_points":[{{"etype":"A","eid":1,"attr":"a",{more}}}]}}"#
        )
    };
    let cases = [
        ("garbage".to_owned(), "the message is `garbage`: it is no JSON"),
        ("[1]".to_owned(), "the message is `[1]`: an object is due"),
        (r#"{"eid":1}"#.to_owned(), "etype is absent: a text is due"),
        (r#"{"etype":"","eid":1}"#.to_owned(), "etype is `\"\"`: a text is due"),
        (r#"{"etype":"A"}"#.to_owned(), "eid is absent"),
        (r#"{"etype":"A","eid":true}"#.to_owned(), "eid is `true`: a text or a whole number"),
        (r#"{"etype":"A","eid":1}"#.to_owned(), "a task has a data point, a token or"),
        (r#"{"etype":"A","eid":1,"ttl_tokens":{}}"#.to_owned(), "a task has a data point"),
        (r#"{"etype":"A","eid":1,"delete":"yes"}"#.to_owned(), "delete is `\"yes\"`"),
        (r#"{"etype":"A","eid":1,"data_points":null}"#.to_owned(), "data_points is `null`"),
        (r#"{"etype":"A","eid":1,"data_points":[7]}"#.to_owned(), "data_points[0] is `7`"),
        (r#"{"etype":"A","eid":1,"delete":true,"datapoints":[]}"#.to_owned(), "datapoints is `[]`"),
        (
            r#"{"etype":"A","eid":1,"ttl_tokens":{"base":"soon"}}"#.to_owned(),
            "ttl_tokens.base is `\"soon\"`: a moment is due",
        ),
        (
            r#"{"etype":"A","eid":1,"data_points":[{"etype":"A","eid":2,"attr":"a"}]}"#.to_owned(),
            "data_points[0].eid is `2`: the task's is `1`",
        ),
        (
            r#"{"etype":"A","eid":1,"data_points":[{"etype":"B","eid":1,"attr":"a"}]}"#.to_owned(),
            "data_points[0].etype is `B`: the task's is `A`",
        ),
        (
            r#"{"etype":"ip4","eid":"::1","delete":true}"#.to_owned(),
            "eid is `\"::1\"`: an IPv4 address is due for an id of `ip4`",
        ),
        (point(r#""c":2"#), "data_points[0].c is `2`: a number from 0 to 1"),
        (point(r#""src":3"#), "data_points[0].src is `3`"),
        (point(r#""t1":7"#), "data_points[0].t1 is `7`: a moment is due"),
        (point(r#""t2":"2024-01-01T00:00:00Z""#), "there is no `t1` before it"),
        (
            point(r#""t1":"2024-01-02T00:00:00Z","t2":"2024-01-01T00:00:00Z""#),
            "it is before `t1`, 2024-01-02T00:00:00Z",
        ),
        (point(r#""value":3"#), "data_points[0].value is `3`: DP3 has no such field here"),
    ];
    for (text, expected) in cases {
        let wrong = parsed(&text).expect_err(&text).to_string();
        assert!(wrong.contains(expected), "{text}: {wrong}");
    }
}

#[test]
fn tasks_that_are_made_here_are_looked_at_too() {
    let task = DataPointTask::new("A", 1);
    assert!(task.check().is_err());
    let task = task.with(DataPoint::new("load", json!([1, 2])));
    assert_eq!(task.check(), Ok(()));
    let wrong = DataPoint { c: f64::NAN, ..DataPoint::new("load", 1) };
    assert_eq!(task.with(wrong).check().expect_err("no number").field(), "data_points[1].c");
}

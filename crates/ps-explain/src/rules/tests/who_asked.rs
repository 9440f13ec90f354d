//! Who asked for an end: a person by a verb, or nobody that is known.

use super::*;

#[test]
fn a_signal_is_a_persons_only_if_that_person_asked_for_it_right_before() {
    let verb = |at| Verb {
        name: "signal".to_owned(),
        by: "alice".to_owned(),
        words: "signal KILL shop".to_owned(),
        at: time(at),
        ended: Some((time(at), None)),
        told: Vec::new(),
    };
    let killed = crashed(Some(Exit::Signal(9)), EndCause::Signal);
    for (at, cause) in [(89, "killed-by-operator"), (50, "killed-from-outside"), (95, "killed-from-outside")]
    {
        assert_eq!(named(&Facts { verbs: vec![verb(at)], ..facts() }, &killed), Some(cause), "{at}");
    }
}

#[test]
fn an_instance_was_stopped_by_the_verb_that_was_under_way_and_not_by_one_that_came_right_after() {
    let verb = |name: &str, at: i64, ended: i64| Verb {
        name: name.to_owned(),
        by: "alice".to_owned(),
        words: format!("{name} shop"),
        at: time(at),
        ended: Some((time(ended), None)),
        told: Vec::new(),
    };
    let ended = crashed(Some(Exit::Code(0)), EndCause::Asked);
    let stopped = Known { state: State::Stopped, over: Some(Over::StoppedByHand), ..ended };
    let told = |verbs| finding_of(&Facts { verbs, ..facts() }, Some(&stopped)).says;
    // It has ended at 90.
    let says = told(vec![verb("scale", 10, 12), verb("stop", 88, 91), verb("converge", 91, 91)]);
    assert!(says.contains("(stop shop)"), "{says}");
    let says = told(vec![verb("scale", 10, 12), verb("stop", 91, 92)]);
    assert!(says.contains("(stop shop)"), "{says}");
}

#[test]
fn who_asked_for_an_end_that_takes_long_is_told() {
    let verb = Verb {
        name: "restart".to_owned(),
        by: "alice".to_owned(),
        words: "restart shop".to_owned(),
        at: time(80),
        ended: None,
        told: Vec::new(),
    };
    let it = Known { state: State::Stopping, end: None, over: None, ..crashed(None, EndCause::Asked) };
    let told = finding_of(&Facts { verbs: vec![verb], ..facts() }, Some(&it));
    assert_eq!(told.cause, "stopping");
    assert!(
        told.says.contains("alice asked for that") && told.says.contains("(restart shop)"),
        "{}",
        told.says
    );
}

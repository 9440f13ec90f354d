//! Which PORT who gets.

use std::net::TcpListener;

use super::Source;

const THREE: &str = "web: echo web $PORT\nrelease: echo release $PORT\nworker: echo worker $PORT; PORT=1 sh -c 'echo own $PORT'\n";

#[test]
fn the_base_is_the_options_then_that_of_the_files_then_the_callers() {
    let source = Source::new(THREE).variable("PORT", "7003");
    assert_eq!(source.run(&[]).lines(), ["own 1", "web 7003", "worker 7103"]);
    let source = source.file(".env", "PORT=7004\n");
    assert_eq!(source.run(&[]).lines(), ["own 1", "web 7004", "worker 7104"]);
    assert_eq!(source.run(&["-p", "7005"]).lines(), ["own 1", "web 7005", "worker 7105"]);
    assert_eq!(
        source.run(&["-p", "7005", "worker"]).lines(),
        ["own 1", "worker 7105"],
        "types keep their places"
    );
    assert_eq!(source.run(&["-p", "7005", "-m", "web=2"]).lines(), ["web 7005", "web 7006"]);
}

#[test]
fn a_port_that_is_none_is_refused_by_name() {
    for value in ["abc", "70000", "0", "", "-1", "80 81"] {
        let ended = Source::new(THREE).variable("PORT", value).run(&[]);
        assert!(ended.err.contains(&format!("PORT={value} in the environment")), "{}", ended.err);
        assert_eq!((ended.err.lines().count(), ended.code(), ended.out.len()), (1, 1, 0));
        let ended = Source::new(THREE).file(".env", &format!("PORT={value}\n")).run(&[]);
        assert!(
            ended.err.contains(&format!("PORT={value} in ")) && ended.err.contains(".env"),
            "{}",
            ended.err
        );
        assert_eq!(ended.code(), 1);
        assert_eq!(Source::new(THREE).run(&["-p", value]).code(), 2);
    }
}

#[test]
fn a_port_that_is_taken_is_told_with_who_has_it_and_another_is_used() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = listener.local_addr().expect("bound").port();
    let ended = Source::new("web: echo $PORT\n").run(&["-p", &taken.to_string()]);
    assert!(ended.err.contains(&format!("port {taken} is taken by ")), "{}", ended.err);
    assert!(ended.err.contains(&format!("(pid {})", std::process::id())), "{}", ended.err);
    let given: u16 = ended.lines()[0].parse().expect("a port");
    assert!(given > 20_000 && ended.err.contains(&format!("it gets {given}")), "{}", ended.err);
}

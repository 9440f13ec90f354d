//! `show` and `expand`: what the variables of a command stand for.

use crate::{Ran, World};

#[test]
fn expansion_can_be_stricter_and_more_like_a_shell() {
    let world = World::with("web: a ${X:-1} $NOPE\nworker: ${Y:?is needed}\n");
    let show = |args: &[&str]| world.run(&[&["show", "-p", "web"], args].concat());
    assert_eq!(show(&[]).text(), "a  \n");
    assert_eq!(show(&["--shell-defaults"]).text(), "a 1 \n");
    assert_eq!(show(&["--keep-unknown"]).text(), "a ${X:-1} $NOPE\n");
    let strict = show(&["--strict-env", "--shell-defaults"]);
    assert_eq!(strict.all(), (1, String::new(), " !     variable NOPE is not defined, line 1\n"));
    let all = world.run(&["expand", "--strict-env", "--shell-defaults"]);
    assert_eq!(all.stderr, " !     variable NOPE is not defined, line 1\n !     Y: is needed, line 2\n");
}

#[test]
fn inside_dokku_an_env_file_is_read_as_dokku_reads_it_and_what_surprises_is_told() {
    let world = World::with("web: [$PASS] [$H] [$A]\n");
    world.put("e", "PASS=   # required\nH=$2y$10$N9qo\nA=\"\\!\\`\"\n");
    let mut command = world.command(&["show", "-p", "web", "-e", "e"]);
    command.env("PLUGIN_PATH", world.path("plugins")).env("DOKKU_SYSTEM_USER", "dokku");
    let ran = Ran::of(command, b"");
    assert_eq!((ran.status, ran.text().as_str()), (0, "[# required] [yqo] [!`]\n"));
    let told: Vec<&str> = ran.stderr.lines().map(|line| line.split(" has ").next().unwrap_or(line)).collect();
    assert!(
        ran.stderr.starts_with(" !     e, line 1: PASS has a # in its value, as Dokku reads it"),
        "{told:?}"
    );
    assert!(ran.stderr.contains(" !     e, line 2: H names a variable that nothing defines"), "{told:?}");
    let ran = world.run(&["show", "-p", "web", "-e", "e"]);
    assert_eq!(ran.text(), "[] [$2y$10$N9qo] [\\!\\`]\n");
}

//! `help`, `version`, `completion` and `man`.

use crate::World;

#[test]
fn help_and_version_that_were_asked_for_go_to_stdout() {
    let world = World::new();
    for args in [&["--help"][..], &["help"], &["help", "set"], &["set", "-h"], &["--version"], &["version"]] {
        let ran = world.run(args);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{args:?}");
        assert!(!ran.stdout.is_empty(), "{args:?}");
    }
    for args in [&["version"][..], &["--version"], &["-v", "--help"], &["--bogus", "-version"]] {
        assert_eq!(world.run(args).text(), format!("{}\n", env!("CARGO_PKG_VERSION")), "{args:?}");
    }
    for args in [&[][..], &["bogus"], &["bogus", "--help"], &["help", "bogus"], &["--"]] {
        let ran = world.run(args);
        assert_eq!((ran.status, ran.text().as_str()), (127, ""), "{args:?}");
        assert!(ran.stderr.starts_with("Usage: procfile-util [--version] [--help] <command> [<args>]\n"));
    }
}

#[test]
fn completions_and_manual_pages_know_every_subcommand() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = world.run(&["completion", shell]).text();
        assert!(script.contains("export") && script.contains("formation"), "{shell}");
    }
    assert_eq!(world.run(&["completion", "tcsh"]).status, 1);
    assert!(world.run(&["man"]).text().contains(".SH SUBCOMMANDS"));
    assert!(world.run(&["man", "set"]).text().contains("in\\-order"));
}

//! What is refused, and its exit status.

use crate::{Home, said};

#[test]
fn refusals_name_the_thing_and_have_their_exit_status() {
    let home = Home::new();
    home.app("blog");
    let long = "a".repeat(4096);
    for (arguments, status, words) in [
        (&["nope"][..], 20, "nope"),
        (&["blog", "nope"], 20, "nope"),
        (&["../x"], 1, "../x"),
        (&["A"], 1, "\"A\""),
        (&[""], 1, "missing"),
        (&[&long], 1, "4096"),
        (&["blog", "--format", "xml"], 2, "\"xml\""),
        (&["blog", "--format"], 2, "--format"),
        (&["blog", "--running", "--json"], 2, "--running"),
        (&["blog", "--columns", "app"], 2, "csv"),
        (&["blog", "--status-web.9"], 2, "--status-web.9"),
        (&["--global", "--restore"], 2, "--restore"),
        (&["--global", "blog"], 2, "--global"),
        (&["-x"], 2, "-x"),
    ] {
        let said = said(&mut home.report(arguments));
        assert_eq!((said.status, &*said.stdout), (status, ""), "{arguments:.40?}: {}", said.stderr);
        assert!(said.stderr.contains(words), "{arguments:.40?}: {}", said.stderr);
        assert!(said.stderr.len() < 2000 && said.stderr.ends_with('\n'), "{}", said.stderr);
    }
}

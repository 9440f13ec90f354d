//! `fmt`.

use crate::World;

#[test]
fn fmt_lays_out_evenly_once_and_for_all() {
    let world = World::with("web:a\r\n\n\nrelease: b # c\n");
    assert_eq!(world.run(&["fmt", "--check"]).all(), (1, String::new(), ""));
    assert_eq!(world.run(&["fmt"]).all(), (0, String::new(), ""));
    assert_eq!(world.get("Procfile"), "web:     a\n\nrelease: b # c\n");
    assert_eq!(world.run(&["fmt", "--check"]).all(), (0, String::new(), ""));
}

//! The build script of every program: how it is linked (docs/decisions/fixed-address.md).

#![expect(clippy::print_stdout, reason = "cargo reads what a build script prints")]

fn main() {
    println!("cargo:rerun-if-changed=../ps-cli/link.rs");
    let is =
        |name: &str, word: &str| std::env::var(name).is_ok_and(|words| words.split(',').any(|it| it == word));
    // A static program is linked as its flags say (scripts/package).
    if is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && !is("CARGO_CFG_TARGET_FEATURE", "crt-static")
    {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}

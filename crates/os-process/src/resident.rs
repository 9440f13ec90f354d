//! A program that many processes execute at once, for as long as their apps run, is installed twice: for people, with all that it can do, and
//! once more with nothing but what stays in memory. `bin/ps-supervise` becomes `libexec/formation/ps-supervise` where that is there: the same
//! process with the same words. Nothing else about it differs, and where it is not installed nothing is missing.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const PLACE: &str = "libexec/formation";
/// A variable for programs that stay, and its value, which the C library reads if it is glibc: freed memory goes back to the machine at
/// once. Otherwise each process would keep what its start took.
pub const FRUGAL: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.trim_threshold=8192:glibc.malloc.top_pad=0:glibc.malloc.mmap_threshold=4096:glibc.malloc.tcache_count=0",
);

/// The file that is executed in the place of `program` where that is to stay: it lies in the same installation, and is `program` itself if
/// there is no other.
pub fn resident(program: &Path) -> PathBuf {
    installed(program).unwrap_or_else(|| program.to_owned())
}

/// Becomes the program that is made to stay, if this one is not and that one is installed. It returns where it does not.
pub fn become_resident() {
    let Some(resident) = env::current_exe().ok().and_then(|own| installed(&own)) else { return };
    let mut words = env::args_os();
    let called = words.next().unwrap_or_default();
    // Where that fails this program does the same.
    let _ = Command::new(resident).arg0(called).args(words).env(FRUGAL.0, FRUGAL.1).exec();
}

fn installed(program: &Path) -> Option<PathBuf> {
    let program = program.canonicalize().ok()?;
    let resident = program.parent()?.parent()?.join(PLACE).join(program.file_name()?);
    resident.is_file().then_some(resident)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_program_that_stays_lies_in_the_same_installation() {
        let place = tempfile::tempdir().expect("a directory");
        let place = place.path().canonicalize().expect("there");
        let [bin, libexec] = ["bin", PLACE].map(|directory| place.join(directory));
        for directory in [&bin, &libexec] {
            fs::create_dir_all(directory).expect("made");
        }
        let (program, link) = (bin.join("ps-supervise"), place.join("link"));
        fs::write(&program, "").expect("written");
        symlink(&program, &link).expect("linked");
        assert_eq!([resident(&program), resident(&link)], [program.clone(), link.clone()]);
        let staying = libexec.join("ps-supervise");
        fs::write(&staying, "").expect("written");
        for of in [&program, &link, &staying] {
            assert_eq!(resident(of), staying);
        }
    }
}

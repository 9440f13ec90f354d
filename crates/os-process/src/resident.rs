//! A program that many processes execute for as long as their apps run is installed twice: once with everything that
//! people need, and once with only the part that stays in memory. `bin/ps-supervise` executes
//! `libexec/formation/ps-supervise` in its place, with the same arguments, if that is installed. Otherwise it does the
//! same work itself.
//!
//! Both are installed together, the smaller one last. If somebody replaces only `bin/`, the other program is of an earlier version, and by
//! its modification time older than the one in `bin/`: then it is not used.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const PLACE: &str = "libexec/formation";
const ORDINARY_PLACE: &str = "bin";
/// An environment variable for programs that stay in memory, and its value, which glibc reads: freed memory and the stacks of ended threads
/// go back to the system at once, and all threads share one heap. Otherwise each process would keep the memory that its start needed.
pub const FRUGAL: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.trim_threshold=4096:glibc.malloc.top_pad=0:glibc.malloc.mmap_threshold=1024:glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1:glibc.pthread.stack_cache_size=0",
);

/// Whether this process was started with [`FRUGAL`].
pub fn is_frugal() -> bool {
    env::var_os(FRUGAL.0).is_some_and(|value| value == FRUGAL.1)
}

/// The file that is executed in the place of `program` when it stays in memory: the separate program of the same installation, or `program`
/// itself if there is none.
pub fn resident(program: &Path) -> PathBuf {
    installed(program).unwrap_or_else(|| program.to_owned())
}

/// Executes the separate program that stays in memory, if it is installed and this process does not run it yet. Returns otherwise.
#[inline(never)]
pub fn become_resident() {
    let Some(resident) = env::current_exe().ok().and_then(|own| installed(&own)) else { return };
    let mut words = env::args_os();
    let called = words.next().unwrap_or_default();
    // If the exec fails, this program does the same work.
    let _ = Command::new(resident).arg0(called).args(words).env(FRUGAL.0, FRUGAL.1).exec();
}

/// The directory of the ordinary programs of the installation, if `own` is a separate program that stays in memory.
pub(crate) fn ordinary_place(own: &Path) -> Option<PathBuf> {
    let directory = own.parent()?;
    let installation = directory.ancestors().nth(Path::new(PLACE).iter().count())?;
    (installation.join(PLACE) == directory).then(|| installation.join(ORDINARY_PLACE))
}

fn installed(program: &Path) -> Option<PathBuf> {
    let program = program.canonicalize().ok()?;
    let resident = program.parent()?.parent()?.join(PLACE).join(program.file_name()?);
    let (ours, its) = (program.metadata().ok()?, resident.metadata().ok()?);
    let is_as_new = its.modified().ok()? >= ours.modified().ok()?;
    (its.is_file() && is_as_new).then_some(resident)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

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
        assert_eq!(ordinary_place(&staying), Some(bin));
        for other in [&program, &place, Path::new("/")] {
            assert_eq!(ordinary_place(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_program_that_was_replaced_alone_does_not_become_an_earlier_version() {
        let place = tempfile::tempdir().expect("a directory");
        let place = place.path().canonicalize().expect("there");
        let [program, staying] = ["bin", PLACE].map(|directory| place.join(directory).join("ps-supervise"));
        let made = place.metadata().and_then(|place| place.modified()).expect("a time");
        let installed = |file: &Path, seconds| {
            fs::create_dir_all(file.parent().expect("it is below")).expect("made");
            let time = made + Duration::from_secs(seconds);
            fs::File::create(file).and_then(|file| file.set_modified(time)).expect("written");
        };
        for (of_program, of_staying, becomes) in
            [(10, 10, &staying), (10, 11, &staying), (20, 11, &program), (20, 21, &staying)]
        {
            installed(&program, of_program);
            installed(&staying, of_staying);
            assert_eq!(resident(&program), *becomes, "{of_program} {of_staying}");
        }
    }
}

//! Any Procfile, any edit: what was set is read back, and delete undoes it byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use procfile::{Placement, Procfile};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let (Some(name), Some(command), Some(text)) = (parts.next(), parts.next(), parts.next()) else { return };
    let (Ok(name), Ok(file)) = (std::str::from_utf8(name), Procfile::parse(text)) else { return };
    let placement = if command.len() & 1 == 0 { Placement::Append } else { Placement::InOrder };
    let before = file.get(name);
    if let Ok(longer) = file.set(name, command, placement) {
        let longer = Procfile::parse(&longer).expect("what was set can be read");
        assert_eq!(longer.get(name).expect("it was set").command, command);
        let others = |file: &Procfile| -> Vec<_> {
            let kept = file.entries().filter(|entry| entry.name != name);
            kept.map(|entry| (entry.name.to_owned(), entry.command.to_vec())).collect()
        };
        assert_eq!(others(&file), others(&longer));
        if before.is_none() {
            assert_eq!(longer.delete(name), text);
        }
    }
    let shorter = file.delete(name);
    assert_eq!(before.is_none(), shorter == text);
});

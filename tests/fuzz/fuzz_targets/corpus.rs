//! Saved inputs, one a line, to files in a folder (`corpus unpack FILE FOLDER`) and back (`corpus pack FOLDER FILE`).

use std::error::Error;
use std::ffi::OsString;
use std::fs;

use procfile_fuzz::saved;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [verb, from, to] = &arguments[..] else { return Err("usage: corpus pack|unpack FROM TO".into()) };
    if verb == "unpack" {
        fs::create_dir_all(to)?;
        for (number, input) in saved::read(&fs::read_to_string(from)?).iter().enumerate() {
            fs::write(std::path::Path::new(to).join(format!("saved-{number}")), input)?;
        }
        return Ok(());
    }
    let inputs = fs::read_dir(from)?.map(|entry| fs::read(entry?.path())).collect::<Result<Vec<_>, _>>()?;
    Ok(fs::write(to, saved::write(inputs))?)
}

//! Reads from the working directory of an image those files that a source directory would have.

use ps_apps::DOKKU_SCALE;

use crate::checks_file::{self, CHECKS};
use crate::{APP_JSON, Checkout, Error};

const PROCFILE: &str = "Procfile";

/// The paths of the files to be read.
#[derive(Clone, Debug)]
pub struct FilesOfImage {
    /// The path of the Procfile, and whether it was set.
    procfile: (String, bool),
    app_json: String,
}

impl FilesOfImage {
    /// The configured path of the Procfile, and this path of app.json.
    pub fn new(procfile: Option<&str>, app_json: &str) -> Self {
        let is_named = procfile.is_some();
        Self { procfile: (procfile.unwrap_or(PROCFILE).to_owned(), is_named), app_json: app_json.to_owned() }
    }

    /// The paths in the image, in the order that [`Checkout::take_files`] expects.
    pub fn paths(&self) -> [&str; 4] {
        [&self.procfile.0, &self.app_json, DOKKU_SCALE, CHECKS]
    }
}

impl Checkout {
    /// Takes the files of an image. A file whose path was configured must exist.
    pub fn take_files(&mut self, wanted: &FilesOfImage, files: Vec<Option<Vec<u8>>>) -> Result<(), Error> {
        let [procfile, app_json, dokku_scale, checks] =
            <[Option<Vec<u8>>; 4]>::try_from(files).unwrap_or_default();
        let place = || format!("the image {}", self.place().1);
        let missing = |property, path: &str| {
            Err(Error::NamedFileMissing { property, path: path.to_owned(), place: place() })
        };
        if procfile.is_none() && wanted.procfile.1 {
            return missing("procfile-path", &wanted.procfile.0);
        }
        if app_json.is_none() && wanted.app_json != APP_JSON {
            return missing("appjson-path", &wanted.app_json);
        }
        self.app_json = checks_file::heeded(checks, app_json)?;
        (self.procfile, self.dokku_scale) = (procfile, dokku_scale);
        Ok(())
    }
}

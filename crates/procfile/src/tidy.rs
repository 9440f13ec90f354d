//! Lays a Procfile out evenly: at most one blank line in a row, all commands in one column, LF as line end. Order,
//! comments and commands stay.

use crate::document::{self, Procfile};
use crate::grammar::{self, Line};

impl Procfile {
    /// The bytes in an even layout. A tidy file stays the same, byte for byte.
    ///
    /// ```
    /// let file = procfile::Procfile::parse(b"web:a\r\n\r\n\r\n  worker :  b   # c")?;
    /// assert_eq!(file.tidy(), b"web:    a\n\nworker: b # c\n");
    /// # Ok::<(), procfile::ParseError>(())
    /// ```
    pub fn tidy(&self) -> Vec<u8> {
        let delimiter = self.options().delimiter.as_bytes();
        let width = self.entries().map(|entry| entry.name.len()).max().unwrap_or_default();
        let mut tidy: Vec<u8> = Vec::with_capacity(self.as_bytes().len());
        let mut blank = true;
        for (_, line) in document::lines(self.as_bytes()) {
            match grammar::read(line, self.options()) {
                Line::Entry { name, command } => {
                    let rest = line[command.end..].trim_ascii();
                    let padding = width - name.len() + 1;
                    tidy.extend_from_slice(&line[name]);
                    tidy.extend_from_slice(delimiter);
                    tidy.resize(tidy.len() + padding, b' ');
                    tidy.extend_from_slice(&line[command]);
                    if !rest.is_empty() {
                        tidy.push(b' ');
                        tidy.extend_from_slice(rest);
                    }
                    blank = false;
                }
                _ if line.trim_ascii().is_empty() && blank => continue,
                _ => {
                    let text = line.trim_ascii();
                    tidy.extend_from_slice(text);
                    blank = text.is_empty();
                }
            }
            tidy.push(b'\n');
        }
        if blank && tidy.ends_with(b"\n") {
            tidy.pop();
        }
        self.unless_changed(tidy)
    }

    /// The tidy bytes, if the same entries are read from them; otherwise the bytes as they were. A rare delimiter or
    /// an unusual white space character can make a line that would be read differently once it is laid out.
    fn unless_changed(&self, tidy: Vec<u8>) -> Vec<u8> {
        let same = |file: &Self| {
            let pairs = || file.entries().zip(self.entries());
            file.entries().len() == self.entries().len()
                && pairs().all(|(new, old)| (new.name, new.command) == (old.name, old.command))
        };
        match Self::parse_with(tidy, self.options()) {
            Ok(file) if same(&file) => file.into_bytes(),
            _ => self.as_bytes().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Procfile;

    fn tidy(text: &str) -> String {
        let file = Procfile::parse(text.as_bytes()).expect("legal");
        String::from_utf8(file.tidy()).expect("text")
    }

    #[test]
    fn commands_stand_in_one_column_and_nothing_is_lost() {
        let text = "\u{feff}\n\n# top  \n\n\nweb:a # x\r\n  release  :\tb  c // y\n\n\n";
        let even = "# top\n\nweb:     a # x\nrelease: b  c // y\n";
        assert_eq!(tidy(text), even);
        assert_eq!(tidy(even), even);
    }
}

//! An archive, as far as it may be unpacked. What it says of its sizes is not believed.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::documents::formats::Refusal;
use crate::documents::settings;

/// An archive that is read part by part.
pub struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    bytes_max: u64,
    /// How much more of it may be unpacked.
    room: u64,
}

impl<'a> Archive<'a> {
    /// Opens it.
    pub fn open(bytes: &'a [u8], settings: &settings::Archive) -> Result<Self, Refusal> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| refused(&error))?;
        if zip.len() > settings.max_entries {
            let (most, setting) = (settings.max_entries, "max_entries");
            return Err(Refusal::more_than(most, "entries in its archive", setting));
        }
        let bytes_max = settings.max_unpacked_bytes;
        Ok(Self { zip, bytes_max, room: bytes_max })
    }

    /// A part of it, as text; `None` where there is none of this name.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let mut bytes = Vec::new();
        if !self.unpack(name, |part| bytes.extend_from_slice(part))? {
            return Ok(None);
        }
        let text = super::super::encoding::text(&bytes, None)?;
        Ok(Some(text.into_owned()))
    }

    /// The text of a part that must be there.
    pub fn needed(&mut self, name: &str) -> Result<String, Refusal> {
        let missing = || Refusal::broken(&format!("its archive has no `{name}`"));
        self.text(name)?.ok_or_else(missing)
    }

    /// Looks whether all of it may be unpacked: for those who then do it themselves.
    pub fn measure(&mut self) -> Result<(), Refusal> {
        for index in 0..self.zip.len() {
            let entry = self.zip.by_index(index).map_err(|error| refused(&error))?;
            copy(entry, &mut self.room, self.bytes_max, |_| {})?;
        }
        Ok(())
    }

    fn unpack(&mut self, name: &str, keep: impl FnMut(&[u8])) -> Result<bool, Refusal> {
        let entry = match self.zip.by_name(name) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => return Ok(false),
            Err(error) => return Err(refused(&error)),
        };
        copy(entry, &mut self.room, self.bytes_max, keep)?;
        Ok(true)
    }
}

fn copy(
    mut entry: impl Read,
    room: &mut u64,
    bytes_max: u64,
    mut keep: impl FnMut(&[u8]),
) -> Result<(), Refusal> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = entry.read(&mut buffer).map_err(|error| Refusal::broken(&error))?;
        if count == 0 {
            return Ok(());
        }
        *room = room.checked_sub(count as u64).ok_or_else(|| {
            Refusal::new(format!(
                "unpacks to more than {bytes_max} bytes (hint: `max_unpacked_bytes`)"
            ))
        })?;
        keep(&buffer[..count]);
    }
}

fn refused(error: &ZipError) -> Refusal {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => {
            Refusal::encrypted()
        }
        error => Refusal::broken(error),
    }
}

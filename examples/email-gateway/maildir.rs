//! A Maildir (Maildir++ for its subfolders): mail waits in `new/` and is filed away by a rename. A crash in between
//! leaves it in `new/`, and it is taken up again.

use std::path::{Path, PathBuf};
use std::{fs, io};

#[derive(Clone, Debug)]
pub struct Maildir {
    root: PathBuf,
}

/// Where mail goes once it is dealt with. Always as seen; nothing is ever deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// `cur/` of the Maildir itself.
    Inbox,
    Ignored,
    Rejected,
}

impl Maildir {
    /// `new/` has to be there already, so that a mistyped path is no empty Maildir.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::read_dir(root.join("new"))?;
        Ok(Self { root: root.to_owned() })
    }

    /// The files in `new/`, oldest first: messages of one thread take effect in the order they are published.
    pub fn new_mail(&self) -> io::Result<Vec<PathBuf>> {
        let mut mail = Vec::new();
        for entry in fs::read_dir(self.root.join("new"))? {
            let entry = entry?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            // Gone since it was listed, where another program files mail away too.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() && !hidden {
                mail.push((metadata.modified()?, entry.path()));
            }
        }
        mail.sort();
        Ok(mail.into_iter().map(|(_, path)| path).collect())
    }

    pub fn file_away(&self, mail: &Path, folder: Folder) -> io::Result<()> {
        let cur = self.folder(folder)?;
        let name = mail.file_name().unwrap_or_default().to_string_lossy();
        let unique = name.split(":2,").next().unwrap_or_default();
        let mut target = cur.join(format!("{unique}:2,S"));
        // Only where somebody copied a file back into new/.
        for copy in 1.. {
            if !target.try_exists()? {
                break;
            }
            target = cur.join(format!("{unique}_{copy}:2,S"));
        }
        fs::rename(mail, target)
    }

    /// Its `cur/`, created where it is missing.
    fn folder(&self, folder: Folder) -> io::Result<PathBuf> {
        let name = match folder {
            Folder::Inbox => "",
            Folder::Ignored => ".Ignored",
            Folder::Rejected => ".Rejected",
        };
        let path = self.root.join(name);
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(path.join(part))?;
        }
        if folder != Folder::Inbox {
            // Says to mail servers that this is a subfolder.
            fs::write(path.join("maildirfolder"), "")?;
        }
        Ok(path.join("cur"))
    }
}

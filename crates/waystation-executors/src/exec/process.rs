//! The process group of a program: ended as a whole, its own children with it.

use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::process::Child;

/// Kills the group when dropped before the program was over.
pub struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
    over: AtomicBool,
}

impl Group {
    /// The group that a program leads.
    pub fn of(child: &Child) -> Self {
        Self {
            #[cfg(unix)]
            leader: child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(rustix::process::Pid::from_raw),
            over: AtomicBool::new(false),
        }
    }

    /// Asks the group to end.
    pub fn terminate(&self) {
        #[cfg(unix)]
        self.send(rustix::process::Signal::TERM);
    }

    /// Notes that the program ended by itself.
    pub fn is_over(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    #[cfg(unix)]
    fn send(&self, signal: rustix::process::Signal) {
        if let Some(leader) = self.leader {
            // A group that is gone needs no signal.
            let _ = rustix::process::kill_process_group(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if !self.over.load(Ordering::Relaxed) {
            self.send(rustix::process::Signal::KILL);
        }
    }
}

/// The signal that ended a program, in words.
pub fn signal(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(number) = status.signal() {
            let hint = if number == 9 { " (killed, as when memory runs out)" } else { "" };
            return format!("signal {number}{hint}");
        }
    }
    status.to_string()
}

//! Waiting for the device: natively by asking the driver, which blocks the thread; in a browser by
//! leaving the thread to it.

use super::Gpu;
use crate::Result;

pub(super) use platform::Submission;

impl Gpu {
    /// Waits until a submission has run, or everything submitted so far.
    pub(super) async fn wait_for(&self, submission: Option<Submission>, doing: &str) -> Result<()> {
        let waited = self.until_done(submission).await;
        self.check_faults(doing)?;
        waited.map_err(|message| self.driver_error(doing, message))
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod platform {
    use super::Gpu;

    /// Commands that the device was given.
    pub type Submission = wgpu::SubmissionIndex;

    impl Gpu {
        pub(in crate::compute::gpu) fn submit_commands(&self, commands: wgpu::CommandBuffer) -> Submission {
            self.shared.queue.submit([commands])
        }

        pub(super) async fn until_done(&self, submission: Option<Submission>) -> Result<(), String> {
            let poll = wgpu::PollType::Wait { submission_index: submission, timeout: None };
            self.shared.device.poll(poll).map(drop).map_err(|error| error.to_string())
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod platform {
    use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

    use super::Gpu;

    /// Commands that the device was given: receives when it has done them.
    pub type Submission = OneshotReceiver<()>;

    impl Gpu {
        pub(in crate::compute::gpu) fn submit_commands(&self, commands: wgpu::CommandBuffer) -> Submission {
            self.shared.queue.submit([commands]);
            self.everything_so_far()
        }

        pub(super) async fn until_done(&self, submission: Option<Submission>) -> Result<(), String> {
            let submission = submission.unwrap_or_else(|| self.everything_so_far());
            submission.receive().await.ok_or("the callback was dropped".into())
        }

        fn everything_so_far(&self) -> Submission {
            let (sender, receiver) = oneshot_channel();
            // The receiver is gone only if nobody waits any more.
            self.shared.queue.on_submitted_work_done(move || drop(sender.send(())));
            receiver
        }
    }
}

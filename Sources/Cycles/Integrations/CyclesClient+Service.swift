#if ServiceLifecycle
    public import ServiceLifecycle

    /// Runs a client in a `ServiceGroup`, so that its settlements finish before the process ends. Needs the package
    /// trait `ServiceLifecycle`.
    ///
    /// List the client before the services that use it: a group shuts its services down in reverse order.
    extension CyclesClient: Service {
        /// Waits for the graceful shutdown of the group or for the cancellation of the task, then completes
        /// ``shutdown(timeout:includesReplays:)``, which cancellation does not cut short.
        public func run() async {
            // Cancellation ends the wait with an error; the client shuts down either way.
            try? await gracefulShutdown()
            await shutdown()
        }
    }
#endif

import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// `cycles run`: runs another program as guarded work.
enum RunCommand {
    private static let noReport = Option(
        "no-report",
        "WHAT",
        """
        The treatment of a command that succeeds without a usage report: estimate (default) commits the estimate, \
        marked as such; fail sends nothing, lets the hold expire and ends with 76.
        """,
        completion: .words(["estimate", "fail"]),
        parse: Values.word(["estimate": UnknownActualPolicy.commitEstimate, "fail": .fail])
    )
    private static let leaseLost = Option(
        "lease-lost",
        "WHAT",
        "The reaction to a lost hold: warn (default) continues; terminate sends SIGTERM to the command.",
        completion: .words(["warn", "terminate"]),
        parse: Values.word(["warn": HeartbeatPolicy.warn, "terminate": .cancel])
    )
    private static let settleTimeout = Option(
        "settle-timeout",
        "TIME",
        "The time to wait for the settlement at the end; 10s by default. An unfinished settlement stays in the journal.",
        parse: Values.duration
    )
    private static let withholdKey = Flag(
        "withhold-api-key",
        "Leave CYCLES_API_KEY, CYCLES_API_KEY_FILE and CYCLES_ADMIN_API_KEY out of the command's environment."
    )
    private static let verbose = Flag("verbose", short: "v", "Report the reservation and its settlement.")

    static let command = Command(
        name: "run",
        summary: "Runs a command on a budget: reserves, extends the hold, commits the reported usage or releases.",
        discussion: """
            The command's environment has CYCLES_RESERVATION_ID, CYCLES_DECISION, CYCLES_ESTIMATE and CYCLES_UNIT; the
            limits of the permission, if there are any, as CYCLES_MAX_TOKENS, CYCLES_MAX_STEPS_REMAINING,
            CYCLES_TOOL_ALLOWLIST, CYCLES_TOOL_DENYLIST and CYCLES_COOLDOWN_MS; and CYCLES_USAGE_FILE and
            CYCLES_USAGE_FD, a file for usage reports and a descriptor that appends to it.

            The command reports its usage as lines of the file, in any number; amounts are summed. If the command
            replaces the file, the lines of the new file count:

              echo "tokens 42" >> "$CYCLES_USAGE_FILE"

            The names of amounts are tokens, credits, usd, usd_microcents and risk_points; only the reserved unit is
            accepted; usd counts dollars, such as usd 0.05, as microcents. tokens_input, tokens_output and model_version become metrics of the commit.

            Reported usage is committed, whether the command succeeds or fails. If the command fails without a report,
            the hold is released. After a denial the command is not started, and the status is 77. Otherwise the status
            is that of the command; if a signal ended the command, the same signal ends cycles. Signals that the command
            has not received itself are passed to it. A signal before the start cancels the start.
            """,
        sections: [
            (
                "Options",
                [
                    OperationCommands.estimate, OperationCommands.action, OperationCommands.tag,
                    OperationCommands.subject, OperationCommands.timeToLive, OperationCommands.gracePeriod,
                    OperationCommands.overage, OperationCommands.metadata, noReport, leaseLost, settleTimeout,
                    ConnectionOptions.journal, withholdKey, verbose,
                ]
            ), ConnectionOptions.section,
        ],
        rest: .init(name: "COMMAND …", summary: "The command and its arguments."),
        examples: [
            "cycles run --estimate 1000:TOKENS --action llm.completion/gpt-4o -- ./agent.py"
        ],
        signals: .all,
        run: run
    )

    /// Thrown instead of a cost if the command ended without a usage report.
    private struct NoReport: Error, CustomStringConvertible {
        let description = "the command did not report its usage"
    }

    /// Thrown if the command failed without a usage report, so that its hold is released.
    private struct CommandFailed: Error { var ending: ChildProcess.Ending }

    /// Thrown if a signal arrived before the start of the command.
    private struct CalledOff: Error {}

    private struct Result {
        var ending: ChildProcess.Ending
        var spend: Amount?
        /// The reason why the estimate is committed; nil if the reported usage is committed.
        var whyEstimated: String?
    }

    private typealias Work = Task<ExitStatus, any Error>

    private static func run(_ arguments: Arguments) async throws -> ExitStatus {
        let command = GuardedCommand()
        let work = Lock<(task: Work, reservation: ReservationWatch)?>(nil)
        // Signals are taken before any step that may block, such as reading a key from a terminal.
        Signals.take { received in
            switch received.number {
            case Signals.childEnded: command.reap()
            default: take(received, command, work.withLock { $0 })
            }
        }
        var configuration = try ConnectionOptions.configuration(arguments, usesJournal: true)
        if arguments[withholdKey] { for name in CommandEnvironment.keyNames { Environment.erase(name) } }
        if let span = arguments[settleTimeout] { configuration.retry.flushTimeout = span }
        configuration.heartbeat = arguments[leaseLost] ?? .warn
        let usage = try prepared(arguments)
        let warnings = RunWarnings()
        let reservation = ReservationWatch(warnings)
        configuration.observer = reservation
        let client = try CyclesClient(configuration: configuration)
        let options = options(arguments)
        let task = Task(executorPreference: FirstThread.executor) {
            try await guarded(arguments, options, client, command, usage, warnings)
        }
        work.withLock { $0 = (task, reservation) }
        if command.interruption != nil { task.cancel() }
        var status: ExitStatus
        do {
            status = try await task.value
        } catch is CalledOff {
            let report = await client.flush(timeout: patience, includesReplays: false)
            warnings.finish()
            Console.error("cycles run: \(reservation.outcome(isOver: report.stillPending == 0))")
            return .signal(command.interruption ?? 0)
        } catch {
            command.failed()
            await end(client, command, warnings)
            // The error is shown without the advice to repeat its key, because a new run makes a new reservation.
            guard let error = error as? CyclesError else { throw error }
            throw ToolFailure(text(error), status: ErrorReport.status(of: error))
        }
        await end(client, command, warnings)
        // A signal during the settlement takes effect after it.
        if let signal = command.interruption { status = .signal(signal) }
        return status
    }

    /// The maximum wait for the answer to a reservation whose command does not start.
    private static let patience = Duration.milliseconds(2_500)

    /// Performs the step that a signal requires.
    private static func take(
        _ received: Signals.Received,
        _ command: GuardedCommand,
        _ work: (task: Work, reservation: ReservationWatch)?
    ) {
        let signal = received.number
        switch command.take(signal, reachedGroup: { GroupWitness.hasSeen(received) }) {
        case .passedOn, .leaveLater: break
        case .callOff:
            guard let work else { ProcessEnd.leave(.signal(signal)) }
            Console.error(
                "cycles run: \(Signals.name(signal)): the command is not started; waiting up to 3 s for the server"
            )
            work.task.cancel()
            _ = Task(executorPreference: FirstThread.executor) {
                await FirstThread.pause(patience + .milliseconds(200))
                Console.error("cycles run: \(work.reservation.outcome(isOver: false))")
                ProcessEnd.leave(.signal(signal))
            }
        case .askForPatience:
            Console.error(
                "cycles run: waiting for the settlement; repeat the signal to leave it to the journal, if there is one"
            )
        case .leave: ProcessEnd.leave(.signal(signal))
        }
        if signal == Signals.stop { Signals.stopHere() }
    }

    /// Checks that the program exists and creates the file for usage reports, before budget is reserved.
    private static func prepared(_ arguments: Arguments) throws -> UsageFile {
        do throws(SystemFailure) {
            try ProgramSearch(Environment.lastWords(arguments.rest.count).first ?? []).check()
            let usage = try UsageFile()
            ProcessEnd.prepare { usage.remove() }
            return usage
        } catch {
            throw ToolFailure("\(error); nothing was reserved", status: status(of: error))
        }
    }

    /// The status that shells use for a program that cannot be started.
    private static func status(of failure: SystemFailure) -> ExitStatus {
        guard failure.action == "start" else { return .failure }
        return failure.code == ENOENT ? .notFound : .notExecutable
    }

    /// Describes the error of a reservation. The key helps only to look the reservation up.
    private static func text(_ error: CyclesError) -> String {
        switch error {
        case .ambiguous(let outcome):
            var text = "It is not known whether budget is held, and the command was not started: \(outcome.message)"
            if let key = outcome.idempotencyKey {
                text += "; cycles reservations --idempotency-key \(key) shows a hold, and cycles release releases it. "
                text += "Otherwise a hold expires by itself"
            }
            return text
        case .validation, .configuration: return ErrorReport.lines(error).joined(separator: " ")
        default: return "\(error)"
        }
    }

    /// Waits for the settlement for a limited time. An unfinished settlement stays in the journal or, without a
    /// journal, ends with this process.
    private static func end(_ client: CyclesClient, _ command: GuardedCommand, _ warnings: RunWarnings) async {
        await client.waitForJournal()
        if let signal = command.recorded() { ProcessEnd.leave(.signal(signal)) }
        await client.flush(includesReplays: false)
        // Settlements of an earlier run get one attempt. Their retries may never succeed, and are not awaited.
        await client.wait(atMost: .seconds(1)) { $0.lastError == nil && $0.nextAttempt == nil }
        warnings.finish()
        await client.reportPending(of: "cycles run")
        // Settlements of other runs keep their back-off, because many runs that end would multiply the attempts.
        await client.shutdown(timeout: .zero, includesReplays: false)
    }

    private static func options(_ arguments: Arguments) -> CyclesOptions {
        var options = CyclesOptions(
            estimate: arguments.required(OperationCommands.estimate),
            action: OperationCommands.action(arguments),
            subject: arguments[OperationCommands.subject] ?? Subject()
        )
        if let span = arguments[OperationCommands.timeToLive] { options.timeToLive = span }
        options.gracePeriod = arguments[OperationCommands.gracePeriod]
        options.overagePolicy = arguments[OperationCommands.overage]
        options.metadata = arguments[OperationCommands.metadata] ?? [:]
        options.whenActualUnknown = arguments[noReport] ?? .commitEstimate
        return options
    }

    private static func guarded(
        _ arguments: Arguments,
        _ options: CyclesOptions,
        _ client: CyclesClient,
        _ command: GuardedCommand,
        _ usage: UsageFile,
        _ warnings: RunWarnings
    ) async throws -> ExitStatus {
        do {
            let (result, settlement) = try await client.withCyclesOutcome(
                options,
                actual: { (result: Result) throws -> Amount in
                    guard let spend = result.spend else { throw NoReport() }
                    return spend
                }
            ) { context -> Result in
                warnings.begin(context.reservationID)
                if arguments[verbose] {
                    Console.error("cycles run: \(options.estimate.withDollars) reserved as \(context.reservationID)")
                }
                let result = try await perform(arguments, options, context, command, usage)
                warnings.settle(at: result.spend)
                return result
            }
            return report(settlement, of: result, isVerbose: arguments[verbose])
        } catch let failed as CommandFailed {
            if arguments[verbose] {
                Console.error("cycles run: the command failed without a report; the hold is released")
            }
            return failed.ending.status
        } catch  where command.isCalledOff {
            throw CalledOff()
        } catch let failure as SystemFailure {
            throw ToolFailure("\(failure); the hold is released", status: status(of: failure))
        }
    }

    /// Starts the command, waits for it, and reads its report.
    private static func perform(
        _ arguments: Arguments,
        _ options: CyclesOptions,
        _ context: CyclesContext,
        _ command: GuardedCommand,
        _ usage: UsageFile
    ) async throws -> Result {
        let start = ContinuousClock.now
        let number = Descriptors.free ?? usage.descriptor
        let started = try command.start { isAboutToStart throws(SystemFailure) in
            let environment = CommandEnvironment.variables(
                context.reservationID,
                context.decision,
                context.caps,
                estimate: options.estimate,
                usageFile: usage.path,
                usageDescriptor: number,
                inherited: Environment.all,
                withholdsKeys: arguments[withholdKey]
            )
            return try ChildProcess(
                Environment.lastWords(arguments.rest.count),
                environment: environment,
                inheriting: usage.descriptor,
                as: number,
                isAboutToStart: isAboutToStart
            )
        }
        guard started != nil else { throw CalledOff() }
        let ending = await withTaskCancellationHandler {
            await command.ending()
        } onCancel: {
            // The lease was lost under `--lease-lost terminate`.
            command.terminate()
            Console.error("cycles run: the hold was lost, and SIGTERM is sent to the command")
        }
        var report = UsageReport(unit: options.estimate.unit)
        var doubt: String?
        do throws(SystemFailure) {
            try usage.read { report.add($0) }
            report.finish()
        } catch {
            doubt = "the report cannot be read"
            Console.error("cycles run: the usage report cannot be read: \(error)")
        }
        for problem in report.problems { Console.error("cycles run: left out of the usage report: \(problem)") }
        if !report.problems.isEmpty { doubt = "nothing in the report could be used" }
        if report.moreProblems > 0 { Console.error("cycles run: and \(report.moreProblems) more lines") }
        context.metrics = report.metrics
        context.updateMetrics { $0.latency = ContinuousClock.now - start }
        var result = Result(ending: ending, spend: report.spend)
        guard report.spend == nil else { return result }
        // An unreadable report indicates spend, so that the hold is not released.
        guard ending.isSuccess || doubt != nil else { throw CommandFailed(ending: ending) }
        guard options.whenActualUnknown == .commitEstimate else { return result }
        // The library marks a committed estimate in the same way.
        context.updateMetadata { $0["actual_source"] = "estimate" }
        result.spend = options.estimate
        result.whyEstimated = doubt ?? "nothing was reported"
        return result
    }

    private static func report(
        _ settlement: Swift.Result<Settlement, CyclesError>,
        of result: Result,
        isVerbose: Bool
    ) -> ExitStatus {
        switch settlement {
        case .success(let settlement):
            if isVerbose {
                let source = result.whyEstimated.map { " (the estimate: \($0))" } ?? ""
                Console.error("cycles run: \(settlement)\(source)")
            }
        // The observer has reported the failure.
        case .failure(.validation) where result.spend == nil: return .unreported
        case .failure: break
        }
        return result.ending.status
    }
}

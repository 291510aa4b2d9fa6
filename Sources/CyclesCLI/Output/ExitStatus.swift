/// What the tool's end means. The numbers of `sysexits.h`, where it has one, so that no common command uses them.
struct ExitStatus: Hashable, Sendable {
    let code: Int32
    /// The signal that the tool dies of where the system lets it; nil if it exits with the code.
    let signal: Int32?

    init(code: Int32) { (self.code, signal) = (code, nil) }

    private init(signal: Int32) { (code, self.signal) = (128 + signal, signal) }

    static let success = ExitStatus(code: 0)
    /// The server refused for a reason that has no status of its own, or a check of the doctor failed.
    static let failure = ExitStatus(code: 1)
    /// The command line or the configuration cannot be used. Nothing was sent.
    static let misuse = ExitStatus(code: 2)
    /// `journal flush` set something aside, which has to be settled by hand.
    static let setAside = ExitStatus(code: 65)
    /// The server cannot be reached.
    static let unreachable = ExitStatus(code: 69)
    /// Standard output could not be written.
    static let unprinted = ExitStatus(code: 74)
    /// The same may succeed later: 429, 5xx, no valid answer, no thread or file descriptor left.
    static let temporary = ExitStatus(code: 75)
    /// A command under `run` ended without saying what it used, and nothing was sent.
    static let unreported = ExitStatus(code: 76)
    /// The budget authority says no.
    static let denied = ExitStatus(code: 77)
    /// The API key is not accepted: 401 or 403.
    static let unauthorized = ExitStatus(code: 78)
    /// The command under `run` was found but cannot be started.
    static let notExecutable = ExitStatus(code: 126)
    /// The command under `run` was not found.
    static let notFound = ExitStatus(code: 127)

    /// The end by a signal. A shell shows 128 and the signal's number.
    static func signal(_ number: Int32) -> ExitStatus { ExitStatus(signal: number) }

    /// For the help: what each status means.
    static let table = """
          0    success
          1    the server refuses, or something failed that has no status of its own
          2    the command line or the configuration cannot be used; nothing was sent
          65   journal flush: something was set aside, and has to be settled by hand
          69   the server cannot be reached
          74   standard output cannot be written
          75   the same may succeed later: 429, 5xx, an answer that makes no sense, or a
               system that has no thread, file descriptor or memory left
          76   run: the command did not say what it used, and --no-report is fail
          77   denied: there is no budget, or the authority says no
          78   the API key is not accepted
          126  run: the command cannot be started
          127  run: the command was not found
          128+ a signal ended the tool, or the command under run: as shells show it
        """
}

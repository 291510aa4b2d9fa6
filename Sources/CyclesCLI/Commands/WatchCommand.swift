import Cycles

/// `cycles watch`: shows balances as they change.
enum WatchCommand {
    private static let interval = Option(
        "interval",
        "TIME",
        "The time between two requests; 2s by default.",
        parse: Values.positiveDuration
    )
    private static let count = Option("count", "COUNT", "End after this many requests.", parse: Values.whole(from: 1))

    static let command = Command(
        name: "watch",
        summary: "Shows balances as they change.",
        discussion: """
            On a terminal the figures are refreshed in place, with a bar of spent, reserved and remaining for each
            scope; q ends the command. Elsewhere each balance is printed on a line, and again whenever it changes. Ctrl-C
            ends the command.
            """,
        sections: [
            ("Options", [OperationCommands.ofSubject, OperationCommands.children, interval, count]),
            ConnectionOptions.section,
        ],
        signals: .ending,
        run: run
    )

    private static func run(_ arguments: Arguments) async throws -> ExitStatus {
        let screen = Console.isTerminal ? SecondScreen() : nil
        Signals.take { received in
            let wasShown = screen?.leave() ?? false
            guard received.number == Signals.stop else { ProcessEnd.leave(.signal(received.number)) }
            Signals.stopHere()
            if wasShown { screen?.show() }
        }
        if let screen {
            Keyboard.take { key in
                guard key == UInt8(ascii: "q") else { return }
                screen.leave()
                ProcessEnd.leave(.success)
            }
        }
        let client = try CyclesClient(configuration: ConnectionOptions.configuration(arguments))
        let query = try await OperationCommands.balanceQuery(arguments, client)
        var view = View(screen: screen, server: client.configuration.baseURL)
        screen?.show()
        defer { screen?.leave() }
        let span = arguments[interval] ?? .seconds(2)
        for round in 1... {
            do throws(CyclesError) {
                var balances: [Balance] = []
                for try await balance in client.balances(query) { balances.append(balance) }
                view.show(balances)
            } catch {
                // After the first success, temporary failures are shown and the request is repeated.
                guard error.isRetryable, view.hasShown else { throw error }
                view.show(error)
            }
            if round == arguments[count] || Console.failure != nil { break }
            await FirstThread.pause(span)
        }
        await client.shutdown()
        return .success
    }

    private struct View {
        /// Nil if the output is not a terminal.
        let screen: SecondScreen?
        let server: String
        private var known: [Balance] = []
        private(set) var hasShown = false
        private var lastError: String?
        private var lastSeen = ""

        init(screen: SecondScreen?, server: String) {
            self.screen = screen
            self.server = server
        }

        mutating func show(_ balances: [Balance]) {
            lastSeen = Instants.text(Instants.now)
            lastError = nil
            if let screen {
                known = balances
                draw(on: screen, note: nil)
            } else {
                if balances.isEmpty, !hasShown { Console.error("There are no such balances.") }
                let changed = hasShown ? balances.filter { !known.contains($0) } : balances
                Console.lines(
                    changed.map { BalanceBoard.line($0, at: lastSeen.split(separator: " ").joined(separator: "T")) }
                )
                known = balances
            }
            hasShown = true
        }

        mutating func show(_ error: CyclesError) {
            if let screen {
                draw(on: screen, note: "As of \(lastSeen); now: \(error)")
            } else if lastError != "\(error)" {
                lastError = "\(error)"
                Console.error("\(error)")
            }
        }

        private func draw(on screen: SecondScreen, note: String?) {
            let size = Terminal.size
            var title = "Balances at \(server)   \(lastSeen)"
            if title.escapedForTerminal.terminalColumns > size.columns {
                // The host and the time of the day fit a narrow screen.
                let host = server.split(separator: "/").dropFirst().first ?? ""
                title = "\(host)   \(lastSeen.split(separator: " ").last ?? "")"
            }
            let lines = BalanceBoard.screen(
                known,
                title: title,
                note: note,
                size: size,
                style: Terminal.hasBlocks ? .blocks : .ascii
            )
            screen.draw(lines)
        }
    }
}

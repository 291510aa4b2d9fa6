import Cycles

/// The functions that the programs of this folder call. Each program has one mistake, and a comment with the compiler's
/// message.
struct Reply {
    var text: String
    var total: Int
}

func complete(_ caps: Caps?) async throws -> Reply { Reply(text: "text", total: 3) }

func completeBlocking(_ caps: Caps?) throws -> Reply { Reply(text: "text", total: 3) }

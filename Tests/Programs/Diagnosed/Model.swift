import Cycles

/// What the programs of this folder call: each has one mistake, and a comment with what the compiler says about it.
struct Reply {
    var text: String
    var total: Int
}

func complete(_ caps: Caps?) async throws -> Reply { Reply(text: "text", total: 3) }

func completeBlocking(_ caps: Caps?) throws -> Reply { Reply(text: "text", total: 3) }

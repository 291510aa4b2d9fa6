import Testing

@testable import Cycles

@Suite struct EvidenceKeyTests {
    /// The key of RFC 8037, appendix A.2, and what differs from such a key.
    @Test(arguments: [
        (#""kty":"OKP","crv":"Ed25519""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", true),
        (#""kty":"OKP","crv":"Ed25519","alg":null"#, String(repeating: "A", count: 43), true),
        (#""kty":"OKP","crv":"Ed25519""#, String(repeating: "_", count: 42) + "8", true),
        (#""kty":"OKP","crv":"X25519""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", false),
        (#""kty":"EC","crv":"Ed25519""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", false),
        (#""kty":"okp","crv":"Ed25519""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", false),
        (#""kty":"OKP","crv":"ed25519""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", false),
        (#""kty":"OKP","crv":"Ed25519","alg":"Ed448""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", false),
        (#""kty":"OKP","crv":"Ed25519","alg":7"#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", false),
        (#""crv":"Ed25519""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", false),
        // Bits that are left over must be zero: other last digits spell the same bytes.
        (#""kty":"OKP","crv":"Ed25519""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp", false),
        (#""kty":"OKP","crv":"Ed25519""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURq", false),
        (#""kty":"OKP","crv":"Ed25519""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURr", false),
        (#""kty":"OKP","crv":"Ed25519""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=", false),
        (#""kty":"OKP","crv":"Ed25519""#, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", false),
        (#""kty":"OKP","crv":"Ed25519""#, "11qYAYKxCrfVS+7TyWQHOg7hcvPapiMlrwIaaPcHURo", false),
        (#""kty":"OKP","crv":"Ed25519""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUR", false),
        (#""kty":"OKP","crv":"Ed25519""#, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURoA", false),
        (#""kty":"OKP","crv":"Ed25519""#, " 1qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", false),
        (#""kty":"OKP","crv":"Ed25519""#, "é1qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", false),
        (#""kty":"OKP","crv":"Ed25519""#, "", false),
    ])
    func keysThatCannotVerifyAreLeftOut(members: String, x: String, isKey: Bool) throws {
        let good =
            #"{"kty":"OKP","crv":"Ed25519","x":"\#(String(repeating: "A", count: 43))","kid":"0","cycles_nbf_ms":1}"#
        let body = #"{"keys":[{\#(members),"x":"\#(x)","kid":"1","cycles_nbf_ms":1},\#(good)]}"#
        let keys = try EvidenceKeySet(body: Array(body.utf8)).keys
        #expect(keys.map(\.kid) == (isKey ? ["1", "0"] : ["0"]))
    }
}

"""Names of spans and attributes: OpenTelemetry's GenAI semantic conventions, and our own under `meshflow.`."""

from __future__ import annotations

from typing import Final

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as genai

INVOKE_WORKFLOW: Final = "invoke_workflow"
INVOKE_AGENT: Final = "invoke_agent"
EXECUTE_TOOL: Final = "execute_tool"
CHAT: Final = "chat"

OPERATION: Final = genai.GEN_AI_OPERATION_NAME
PROVIDER: Final = genai.GEN_AI_PROVIDER_NAME
AGENT_ID: Final = genai.GEN_AI_AGENT_ID
AGENT_NAME: Final = genai.GEN_AI_AGENT_NAME
WORKFLOW_NAME: Final = genai.GEN_AI_WORKFLOW_NAME
CONVERSATION_ID: Final = genai.GEN_AI_CONVERSATION_ID
TOOL_NAME: Final = genai.GEN_AI_TOOL_NAME
MODEL: Final = genai.GEN_AI_REQUEST_MODEL
FINISH_REASONS: Final = genai.GEN_AI_RESPONSE_FINISH_REASONS
INPUT_TOKENS: Final = genai.GEN_AI_USAGE_INPUT_TOKENS
OUTPUT_TOKENS: Final = genai.GEN_AI_USAGE_OUTPUT_TOKENS

RUN_ID: Final = "meshflow.run.id"
TENANT: Final = "meshflow.tenant.id"
POLICY_DIGEST: Final = "meshflow.policy.digest"
STEP_ID: Final = "meshflow.step.id"
NODE_KIND: Final = "meshflow.node.kind"
ATTEMPT: Final = "meshflow.attempt"
OUTCOME: Final = "meshflow.outcome"
REASON: Final = "meshflow.reason"
COST_USD: Final = "meshflow.cost_usd"
CARBON_G: Final = "meshflow.carbon_g"

package dev.meshflow;

import dev.meshflow.v1.CircuitBreaker;
import dev.meshflow.v1.HumanInLoop;
import dev.meshflow.v1.Policy;
import dev.meshflow.v1.PolicyRule;
import dev.meshflow.v1.ToolList;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * Builds a policy from typed values. What is not set comes from the workflow, then from the server; the server refuses what
 * it does not enforce, naming the field, and so every check is the server's.
 */
public final class PolicyBuilder {
    /** How strict the governance is as a whole. */
    public enum Mode {
        /** For development. */
        DEV,
        /** The default. */
        STANDARD,
        /** For regulated industries. */
        REGULATED,
        /** For legal work. */
        LEGAL_CRITICAL,
        /** For health data. */
        HIPAA
    }

    /** What a step can do to the world, from least to most. */
    public enum RiskTier {
        /** Reads. */
        READ_ONLY,
        /** Changes what is inside the organisation. */
        INTERNAL,
        /** Talks to the outside. */
        EXTERNAL_IO,
        /** Cannot be undone. */
        IRREVERSIBLE
    }

    /** What happens when nobody decides in time. */
    public enum OnTimeout {
        /** The step is rejected. */
        REJECT,
        /** The step is approved. */
        APPROVE
    }

    /** What a matching rule does. */
    public enum Effect {
        /** Lets the step pass. */
        ALLOW,
        /** Refuses the step. */
        DENY,
        /** Lets the step wait for a human. */
        PAUSE
    }

    private final Policy.Builder policy;

    private PolicyBuilder(Policy.Builder policy) {
        this.policy = policy;
    }

    /**
     * Begins with nothing set.
     *
     * @return a builder
     */
    public static PolicyBuilder create() {
        return new PolicyBuilder(Policy.newBuilder());
    }

    /**
     * Begins with what a policy sets.
     *
     * @param policy the policy, which stays as it is
     * @return a builder
     */
    public static PolicyBuilder from(Policy policy) {
        return new PolicyBuilder(policy.toBuilder());
    }

    /**
     * Sets the mode. Default: standard.
     *
     * @param value the mode
     * @return this
     */
    public PolicyBuilder mode(Mode value) {
        policy.setMode(value.name().toLowerCase(Locale.ROOT).replace('_', '-'));
        return this;
    }

    /**
     * Sets the most the run may spend. Default: 1.
     *
     * @param value US dollars
     * @return this
     */
    public PolicyBuilder budgetUsd(double value) {
        policy.setBudgetUsd(value);
        return this;
    }

    /**
     * Sets the most all runs of the session may have spent together; the request then needs a session id. Default: no limit.
     *
     * @param value US dollars
     * @return this
     */
    public PolicyBuilder sessionBudgetUsd(double value) {
        policy.setSessionBudgetUsd(value);
        return this;
    }

    /**
     * Sets the most tokens the run may use, input and output together. Default: 500000.
     *
     * @param value tokens
     * @return this
     */
    public PolicyBuilder budgetTokens(int value) {
        policy.setBudgetTokens(value);
        return this;
    }

    /**
     * Sets the most steps the run may take. Default: 50.
     *
     * @param value steps
     * @return this
     */
    public PolicyBuilder maxSteps(int value) {
        policy.setMaxSteps(value);
        return this;
    }

    /**
     * Sets the most time the run may take. Default: 5 minutes.
     *
     * @param value the time
     * @return this
     */
    public PolicyBuilder timeout(Duration value) {
        policy.setTimeoutS(seconds(value));
        return this;
    }

    /**
     * Sets the most time one attempt of a step may take. Default: no limit of its own, which zero means too.
     *
     * @param value the time
     * @return this
     */
    public PolicyBuilder stepTimeout(Duration value) {
        policy.setStepTimeoutS(seconds(value));
        return this;
    }

    /**
     * Says whether inputs and outputs are screened for injection, jailbreak and exfiltration. Default: true.
     *
     * @param value whether they are
     * @return this
     */
    public PolicyBuilder guardian(boolean value) {
        policy.setEnableGuardian(value);
        return this;
    }

    /**
     * Says whether agents' confidence is recorded and low confidence acted on. Default: false.
     *
     * @param value whether it is
     * @return this
     */
    public PolicyBuilder uncertainty(boolean value) {
        policy.setEnableUncertainty(value);
        return this;
    }

    /**
     * Says whether each step's carbon is estimated. Default: false.
     *
     * @param value whether it is
     * @return this
     */
    public PolicyBuilder environmental(boolean value) {
        policy.setEnableEnvironmental(value);
        return this;
    }

    /**
     * Sets the most carbon the run may emit. Default: 500.
     *
     * @param value grams of CO2 equivalent
     * @return this
     */
    public PolicyBuilder carbonBudgetG(double value) {
        policy.setCarbonBudgetG(value);
        return this;
    }

    /**
     * Says whether the run counts in the statistics that estimate later runs. Default: false.
     *
     * @param value whether it does
     * @return this
     */
    public PolicyBuilder crossRunLearning(boolean value) {
        policy.setEnableCrossRunLearning(value);
        return this;
    }

    /**
     * Says whether deletion of the run's entries is refused. Default: false.
     *
     * @param value whether it is
     * @return this
     */
    public PolicyBuilder immutableAudit(boolean value) {
        policy.setImmutableAudit(value);
        return this;
    }

    /**
     * Sets the compliance profiles. Default: none.
     *
     * @param profiles {@code hipaa}, {@code sox}, {@code gdpr}
     * @return this
     */
    public PolicyBuilder compliance(String... profiles) {
        policy.setCompliance(String.join(",", profiles));
        return this;
    }

    /**
     * Sets the classes of data that may neither enter nor leave a step. Default: none.
     *
     * @param classes {@code pii}, {@code phi}, {@code secret}
     * @return this
     */
    public PolicyBuilder deniedData(String... classes) {
        policy.setDeniedData(String.join(",", classes));
        return this;
    }

    /**
     * Says whether personal data in inputs and outputs is replaced by placeholders. Default: false.
     *
     * @param value whether it is
     * @return this
     */
    public PolicyBuilder scrubPii(boolean value) {
        policy.setScrubPii(value);
        return this;
    }

    /**
     * Sets the most characters a step's output may have. Default: no limit, which zero means too.
     *
     * @param value characters
     * @return this
     */
    public PolicyBuilder maxOutputChars(int value) {
        policy.setMaxOutputChars(value);
        return this;
    }

    /**
     * Sets the tools the run may use; every other one is refused. None at all refuses all.
     *
     * @param names the tools
     * @return this
     */
    public PolicyBuilder allowedTools(String... names) {
        policy.setAllowedTools(tools(names));
        return this;
    }

    /**
     * Sets the tools the run may not use; this wins over {@link #allowedTools}.
     *
     * @param names the tools
     * @return this
     */
    public PolicyBuilder deniedTools(String... names) {
        policy.setDeniedTools(tools(names));
        return this;
    }

    /**
     * Adds a rule that is evaluated for every step.
     *
     * @param name shown when the rule decides
     * @param effect what a match does
     * @param expression CEL over agent, node, tool, args, risk, taint, tenant and spend
     * @return this
     */
    public PolicyBuilder rule(String name, Effect effect, String expression) {
        policy.addRules(
                PolicyRule.newBuilder().setName(name).setEffect(text(effect)).setExpression(expression));
        return this;
    }

    /**
     * Sets the retries of a step after a failed attempt. Default: 2.
     *
     * @param value retries
     * @return this
     */
    public PolicyBuilder maxRetries(int value) {
        policy.getCircuitBreakerBuilder().setMaxRetries(value);
        return this;
    }

    /**
     * Sets when the circuit breaker opens and when it admits a trial. Default: 5 failures in 60 s, and 30 s.
     *
     * @param failures failures that open it
     * @param window the window they fall in
     * @param trialAfter the time after which it admits one trial
     * @return this
     */
    public PolicyBuilder breaker(int failures, Duration window, Duration trialAfter) {
        CircuitBreaker.Builder breaker = policy.getCircuitBreakerBuilder();
        breaker.setFailureThreshold(failures).setFailureWindowS(seconds(window)).setHalfOpenAfterS(seconds(trialAfter));
        return this;
    }

    /**
     * Lets steps from a risk tier on wait for a human. Default: none do.
     *
     * @param threshold the lowest tier that waits
     * @return this
     */
    public PolicyBuilder humanApproval(RiskTier threshold) {
        policy.getHumanInLoopBuilder().setEnabled(true).setTierThreshold(text(threshold));
        return this;
    }

    /**
     * Sets how long a decision may take. Default: a day, then the step is rejected.
     *
     * @param value the time
     * @param then what happens when nobody decides in time
     * @return this
     */
    public PolicyBuilder approvalTimeout(Duration value, OnTimeout then) {
        HumanInLoop.Builder approval = policy.getHumanInLoopBuilder();
        approval.setTimeoutS(seconds(value)).setOnTimeout(text(then));
        return this;
    }

    /**
     * Sets who is told about each pending approval.
     *
     * @param value the URL
     * @return this
     */
    public PolicyBuilder approvalWebhook(URI value) {
        policy.getHumanInLoopBuilder().setApprovalWebhook(value.toString());
        return this;
    }

    /**
     * Sets who may decide. Default: anyone with the approver role.
     *
     * @param principals the principals
     * @return this
     */
    public PolicyBuilder approvers(String... principals) {
        policy.getHumanInLoopBuilder().clearApprovers().addAllApprovers(List.of(principals));
        return this;
    }

    /**
     * Returns the policy as set so far.
     *
     * @return the policy
     */
    public Policy build() {
        return policy.build();
    }

    private static double seconds(Duration value) {
        return value.toNanos() / 1e9;
    }

    private static String text(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    private static ToolList tools(String... names) {
        return ToolList.newBuilder().addAllNames(List.of(names)).build();
    }
}

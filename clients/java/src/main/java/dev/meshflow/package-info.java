/**
 * Client of a meshflow server: governed runs of AI agents, live events that survive broken connections, evidence.
 *
 * <p>Start with {@link dev.meshflow.MeshflowClient#builder()}. Messages are those of the wire contract, in
 * {@code dev.meshflow.v1}.
 */
package dev.meshflow;
